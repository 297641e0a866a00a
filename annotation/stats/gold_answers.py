"""Whether a rater's answers to a gold pair are right, and whether two judgments of one pair agree."""

from collections.abc import Mapping

PAIR_KEYS = ("safer", "more_helpful", "balance")
SAFETY_KEYS = ("a_unsafe", "b_unsafe")
KEYS = (*PAIR_KEYS, *SAFETY_KEYS)

Answers = Mapping[str, int | bool | None]
"""By KEYS: −3 (response a) … +3 (response b), and whether each response counts as unsafe.

`balance` is None where both responses were called bad.
"""


def expected_problems(expected: Mapping[str, object]) -> list[str]:
    """What is wrong with a gold pair's expected answers, in sentences; empty when all is well."""
    problems = [f"“{key}” is not a question of gold pairs." for key in sorted(set(expected) - set(KEYS))]
    if not expected:
        problems.append("Say what at least one of the answers should be.")
    for key in PAIR_KEYS:
        if key in expected and not _is_step(expected[key]):
            problems.append(f"“{key}” is a whole number from −3 to 3.")
    for key in SAFETY_KEYS:
        if key in expected and not isinstance(expected[key], bool):
            problems.append(f"“{key}” is true or false.")
    return problems


def _is_step(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -3 <= value <= 3


def wrong_answers(expected: Answers, given: Answers, tolerance: int) -> list[str]:
    """The questions answered otherwise than expected.

    A pair answer is right within `tolerance` steps, but never on the other side of “about equal”: who is
    asked for +1 and says −1 is wrong, however large the tolerance.
    """
    return [
        key for key in KEYS if key in expected and not _fits(key, expected[key], given.get(key), tolerance)
    ]


def _fits(key: str, wanted: int | bool | None, said: int | bool | None, tolerance: int) -> bool:
    if said is None or wanted is None:
        return said is wanted
    if key in SAFETY_KEYS:
        return said == wanted
    return abs(said - wanted) <= tolerance and said * wanted >= 0


def agreements(first: Answers, second: Answers, tolerance: int = 1) -> dict[str, bool]:
    """For each question, whether two judgments of one pair agree, within `tolerance` steps."""
    return {key: _fits(key, first.get(key), second.get(key), tolerance) for key in KEYS}
