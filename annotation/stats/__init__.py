"""Statistics as pure functions on arrays: no database, no web, no queue.

Modules build on each other in this order:
errors < estimate < bootstrap < intervals < preference, and ratings < profiles < agreement.
"""
