"""What the statistics refuse: input that no number should be computed from."""


class BadInput(ValueError):
    """The input cannot be used; the message says which part and what to do about it."""
