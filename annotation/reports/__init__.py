"""What a study shows so far, as frozen values: read only, nothing formatted.

Modules build on each other: rows < agreement, winrates, outcomes; progress stands alone.
"""
