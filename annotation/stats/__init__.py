"""Statistics as pure functions on arrays: no database, no web, no queue.

Modules build on each other in this order: errors < estimate < bootstrap < intervals < paired, sequential,
planning, preference < biases; and columns < ratings < profiles < scales < agreement, rater_pairs,
aggregation, strengths. `files` and `__main__` are the command line.
"""
