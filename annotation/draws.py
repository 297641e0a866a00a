"""Reproducible randomness: every draw is a hash of the study's seed, a purpose and what is drawn for.

No generator state is kept, so a draw does not depend on the order in which draws are made, and a
study imported into another database draws the same.
"""

import hashlib

POSITION_BITS = 62  # fits a signed 64-bit column on both databases


def draw(seed: int, purpose: str, *parts: object) -> int:
    """A uniform integer in [0, 2**POSITION_BITS) that depends on all arguments and on nothing else."""
    text = "\x1f".join([str(seed), purpose, *map(str, parts)])
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - POSITION_BITS)


def pair_position(seed: int, prompt_key: str, arm_a: str, arm_b: str, sample: int) -> int:
    """Where a pair stands in the study's shuffled order."""
    return draw(seed, "position", prompt_key, arm_a, arm_b, sample)


def left_is_a(seed: int, position: int, slot: int) -> bool:
    """Whether the canonical first response is shown on the left to the rater in `slot`.

    The first slot is a fair coin; each following slot swaps, so an even overlap is balanced exactly.
    """
    first = draw(seed, "side", position) % 2 == 0
    return first == (slot % 2 == 0)


def request_seed(seed: int, prompt_key: str, sample: int) -> int:
    """The sampling seed of one response; shared by all arms, so that arms differ by nothing else."""
    return draw(seed, "request", prompt_key, sample) >> 31


def grade_seed(seed: int, prompt_key: str, sample: int, repeat: int) -> int:
    """The sampling seed of one grade: another for each repeat, the same for all arms."""
    return draw(seed, "grade", prompt_key, sample, repeat) >> 31
