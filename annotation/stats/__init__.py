"""Statistics as pure functions on arrays: no database, no web, no queue.

Modules build on each other in this order:
errors < estimate < bootstrap < intervals < preference, and columns < ratings < profiles < scales < agreement,
rater_pairs, and ratings < aggregation. `paired`, `sequential` and
`planning` stand on intervals, `strengths` on profiles, `biases` on preference and ratings. `files` and `__main__` are the command line.
"""
