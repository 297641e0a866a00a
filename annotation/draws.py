"""Reproducible randomness: every draw is a hash of the study's seed, a purpose and what is drawn for.

No generator state is kept, so a draw does not depend on the order in which draws are made, and a
study imported into another database draws the same.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

POSITION_BITS = 62  # fits a signed 64-bit column on both databases


def draw(seed: int, purpose: str, *parts: object) -> int:
    """A uniform integer in [0, 2**POSITION_BITS) that depends on all arguments and on nothing else."""
    text = "\x1f".join([str(seed), purpose, *map(str, parts)])
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - POSITION_BITS)


def pair_position(seed: int, prompt_key: str, arm_a: str, arm_b: str, sample: int) -> int:
    """Where a pair stands in the study's shuffled order."""
    return draw(seed, "position", prompt_key, arm_a, arm_b, sample)


def left_is_a(seed: int, position: int, rater: str, shown: Sequence[bool], tilt: int) -> bool:
    """Whether the canonical first response is shown on the left to this rater.

    `shown` holds the sides of those who have or hold the pair now, `tilt` how often this rater has had a on
    the left less how often on the right.

    Guaranteed for the pair: no side is given more than ⌈k/2⌉ of its k places, in whatever order raters come,
    lapse and give back, so that with all k taken |left − right| ≤ 1; and while nobody has given it back, the
    same holds of the places taken so far. Where the pair's sides are equal, the rater's own tilt decides, and
    where that is zero too a fair coin drawn from the seed, the pair and the rater. With an overlap of one the
    rater's |left − right| is therefore at most 1; with more no bound is promised, but every second place of a
    pair is free to pull the rater who takes it back to zero.
    """
    if lean := 2 * sum(shown) - len(shown) or tilt:
        return lean < 0
    return draw(seed, "side", position, rater) % 2 == 0


def mixed(seed: int, strata: Sequence[object], positions: Sequence[int]) -> list[int]:
    """The same positions, dealt out anew so that each stratum is spread evenly over them.

    Within a stratum the order by position stays. A stratum's members come at equal steps of the whole: among
    the first m it has m times its share, off by about one, where a plain shuffle is off by √m.
    """
    ranks = _fractional_ranks(seed, strata, positions)
    order = sorted(range(len(positions)), key=lambda index: (ranks[index], positions[index]))
    places = [0] * len(positions)
    for index, place in zip(order, sorted(positions), strict=True):
        places[index] = place
    return places


def _fractional_ranks(seed: int, strata: Sequence[object], positions: Sequence[int]) -> list[float]:
    """Where each stands among its own stratum, in [0, 1), shifted by one draw for each stratum."""
    members = defaultdict(list)
    for index in sorted(range(len(positions)), key=positions.__getitem__):
        members[strata[index]].append(index)
    ranks = [0.0] * len(positions)
    for stratum, indexes in members.items():
        shift = draw(seed, "stratum", stratum) / 2**POSITION_BITS
        for number, index in enumerate(indexes):
            ranks[index] = (number + shift) / len(indexes)
    return ranks


def request_seed(seed: int, prompt_key: str, sample: int) -> int:
    """The sampling seed of one response; shared by all arms, so that arms differ by nothing else."""
    return draw(seed, "request", prompt_key, sample) >> 31


def grade_seed(seed: int, prompt_key: str, sample: int, repeat: int) -> int:
    """The sampling seed of one grade: another for each repeat, the same for all arms."""
    return draw(seed, "grade", prompt_key, sample, repeat) >> 31
