"""Every write, as a verb. Actions never enqueue and never format: the edge that called them does."""
