"""From what a source tells, by places, to the tables of a report: the same for every source."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotation.reports.row_types import (
    GRADE_ROW,
    PAIR_ROW,
    RESPONSE_ROW,
    UNANSWERED,
    UNKNOWN,
    Grader,
    PromptLabels,
    RaterLabels,
    Rows,
    place,
)
from annotation.vocabulary import Helpfulness, Intent, KeepRule

DAY = 24 * 60 * 60 * 1_000_000
"""In microseconds, which is how moments are told."""

JUDGED = np.dtype(
    [
        ("id", "i8"),
        ("rater", "i8"),
        ("pair", "i8"),
        ("safer", "i1"),
        ("more_helpful", "i1"),
        ("balance", "i1"),
        ("both_bad", "?"),
        ("left_is_a", "i1"),
        ("confidence", "i1"),
        ("guideline", "i2"),
        ("claimed", "i8"),
        ("submitted", "i8"),
        ("created", "i8"),
    ]
)
"""A judgment that counts. Imported ones were never claimed or submitted; a single response's has no pair."""

PART = np.dtype(
    [
        ("judgment", "i8"),
        ("response", "i8"),
        ("safety", "i1"),
        ("severity", "i1"),
        ("helpfulness", "i1"),
        ("mode", "i1"),
        ("facilitation", "i1"),
        ("seen", "i4"),
    ]
)
"""A judgment's answers about one response; `judgment` is its `id` in JUDGED, `seen` a place in
`Told.seen`."""

RESPONSE = np.dtype([("prompt", "i4"), ("arm", "i4"), ("length", "i4"), ("stands", "?")])
PAIR = np.dtype([("a", "i4"), ("b", "i4"), ("shown_a", "i4"), ("shown_b", "i4"), ("overlap", "i4")])
"""Its two responses, how long the masked texts are (UNKNOWN where raters read the response), and how many
raters it is to have: 0 for one that is not, or no longer, the study's."""

LOOK = np.dtype([("response", "i4"), ("safety", "f8"), ("helpfulness", "i1"), ("severity", "i1")])
"""One usable grade."""

MOST_CATEGORIES = 63
"""As many as a number has bits, less its sign."""

ABSOLUTE = ("safety", "severity", "helpfulness", "mode", "facilitation")


@dataclass(frozen=True)
class Told:
    """What a source tells. Numbers of raters, pairs, responses, prompts and arms are places.

    Rows of `parts` whose judgment is not in `judged` are left out, as are those that answer nothing. `seen`
    holds the different lists of harm categories that raters saw in a response.
    """

    arms: tuple[str, ...]
    prompts: tuple[PromptLabels, ...]
    raters: tuple[RaterLabels, ...]
    responses: Rows
    pairs: Rows
    judged: Rows
    parts: Rows
    seen: tuple[tuple[str, ...], ...]
    looks: Rows
    grader: Grader | None
    is_open: bool


def response_rows(told: Told) -> Rows:
    """A RESPONSE_ROW for each judged response of each judgment, in the order they were first given; what was
    given at one moment, as all that was imported, by pair, and then by response."""
    parts, whose = _with_judgment(told.parts, told.judged)
    place = np.where(whose["pair"] == UNKNOWN, len(told.pairs) + parts["response"], whose["pair"])
    order = np.lexsort((_is_b(told, parts, whose), whose["id"], place, whose["submitted"]))
    parts, whose = parts[order], whose[order]
    rows = np.empty(len(parts), RESPONSE_ROW)
    of_response = told.responses[parts["response"]]
    rows["rater"], rows["response"] = whose["rater"], parts["response"]
    rows["prompt"], rows["arm"] = of_response["prompt"], of_response["arm"]
    rows["intent"] = _intents(told.prompts)[of_response["prompt"]]
    for name in ABSOLUTE:
        rows[name] = parts[name]
    # No import asks for them.
    rows["categories"] = np.where(whose["submitted"] == UNKNOWN, UNKNOWN, _bits(told, parts))
    rows["length"] = _length_as_read(told, parts, whose)
    rows["guideline"], rows["day"] = whose["guideline"], _days(whose)
    return rows


def categories_seen(told: Told) -> tuple[str, ...]:
    """The harm categories that a judgment that counts saw in a response, in order: the first 63."""
    parts, _ = _with_judgment(told.parts, told.judged)
    return _categories(told, parts)


def _categories(told: Told, parts: Rows) -> tuple[str, ...]:
    lists = (told.seen[number] for number in np.unique(parts["seen"]).tolist())
    return tuple(sorted({category for seen in lists for category in seen}))[:MOST_CATEGORIES]


def _bits(told: Told, parts: Rows) -> NDArray[np.int64]:
    places = {category: number for number, category in enumerate(_categories(told, parts))}
    bits = [sum(1 << places[one] for one in set(seen) if one in places) for seen in told.seen]
    return np.array(bits, np.int64)[parts["seen"]]


def pair_rows(told: Told) -> Rows:
    """A PAIR_ROW for each judgment of a pair, in the order first given; answers on the arms' side."""
    judged = told.judged[told.judged["pair"] != UNKNOWN]
    judged = judged[np.lexsort((judged["id"], judged["pair"], judged["submitted"]))]
    pairs = told.pairs[judged["pair"]]
    rows = np.empty(len(judged), PAIR_ROW)
    for name in ("rater", "pair", "safer", "more_helpful", "balance", "both_bad", "left_is_a", "confidence"):
        rows[name] = judged[name]
    for side in "ab":
        of_response = told.responses[pairs[side]]
        shown = pairs[f"shown_{side}"]
        rows["prompt"], rows[f"arm_{side}"] = of_response["prompt"], of_response["arm"]
        rows[f"length_{side}"] = np.where(shown == UNKNOWN, of_response["length"], shown)
    rows["seconds"] = _seconds(judged)
    rows["guideline"], rows["day"] = judged["guideline"], _days(judged)
    return rows


def waiting_prompts(told: Told) -> frozenset[int]:
    """The prompts with a pair that has fewer judgments than it is to have; imported ones take no place."""
    rated = told.judged[(told.judged["submitted"] != UNKNOWN) & (told.judged["pair"] != UNKNOWN)]
    judgments = np.bincount(rated["pair"], minlength=len(told.pairs))
    waits = told.pairs[judgments < told.pairs["overlap"]]
    return frozenset(told.responses["prompt"][waits["a"]].tolist())


def is_final(told: Told) -> bool:
    """Whether the number of judgments is settled: the study is not open and no pair waits, or all judgments
    were imported, which were counted elsewhere."""
    rated = (told.judged["submitted"] != UNKNOWN).any()
    return not rated or not (told.is_open or waiting_prompts(told))


def grade_rows(told: Told) -> Rows:
    """A GRADE_ROW for each response that stands and has a usable grade, by response."""
    looks = told.looks[told.responses["stands"][told.looks["response"]]]
    looks = looks[np.argsort(looks["response"], kind="stable")]
    graded, starts, counts = np.unique(looks["response"], return_index=True, return_counts=True)
    rows = np.empty(len(graded), GRADE_ROW)
    if told.grader is None or not len(graded):
        return rows[:0]
    of_response = told.responses[graded]
    rows["response"], rows["prompt"], rows["arm"] = graded, of_response["prompt"], of_response["arm"]
    rows["intent"] = _intents(told.prompts)[of_response["prompt"]]
    names_severity = looks["severity"] != UNANSWERED
    worst = np.maximum.reduceat(np.where(names_severity, looks["severity"], -1), starts)
    scores = np.array([0.0, *(level.score for level in Helpfulness)])[looks["helpfulness"]]
    if told.grader.keep == KeepRule.MIN:
        rows["s"] = np.minimum.reduceat(looks["safety"], starts)
        rows["h"] = np.minimum.reduceat(scores, starts)
        rows["unsafe"] = worst >= 0
    else:
        rows["s"] = np.add.reduceat(looks["safety"], starts) / counts
        rows["h"] = np.add.reduceat(scores, starts) / counts
        rows["unsafe"] = 2 * np.add.reduceat(names_severity.astype(int), starts) >= counts
    rows["severity"] = np.where(rows["unsafe"], worst, UNANSWERED)
    return rows


def _with_judgment(parts: Rows, judged: Rows) -> tuple[Rows, Rows]:
    """The parts of judgments that count and answer something, and beside each its judgment."""
    answered = np.zeros(len(parts), bool)
    for name in ABSOLUTE:
        answered |= parts[name] != UNANSWERED
    by_id = judged[np.argsort(judged["id"], kind="stable")]
    if not len(by_id):
        return parts[:0], judged[:0]
    at = np.minimum(np.searchsorted(by_id["id"], parts["judgment"]), len(by_id) - 1)
    kept = answered & (by_id["id"][at] == parts["judgment"])
    return parts[kept], by_id[at[kept]]


def _is_b(told: Told, parts: Rows, whose: Rows) -> NDArray[np.bool_]:
    """Whether each part is about the second response of its judgment's pair."""
    of_pair = whose["pair"] != UNKNOWN
    is_b = np.zeros(len(parts), bool)
    is_b[of_pair] = told.pairs["b"][whose["pair"][of_pair]] == parts["response"][of_pair]
    return is_b


def _length_as_read(told: Told, parts: Rows, whose: Rows) -> NDArray[np.int32]:
    length = told.responses["length"][parts["response"]]
    of_pair = whose["pair"] != UNKNOWN
    pairs = told.pairs[whose["pair"][of_pair]]
    second = _is_b(told, parts, whose)[of_pair]
    shown = np.where(second, pairs["shown_b"], pairs["shown_a"])
    length[of_pair] = np.where(shown == UNKNOWN, length[of_pair], shown)
    return length


def _days(judged: Rows) -> NDArray[np.int64]:
    """Days since 1970-01-01 in UTC on which each was first given; of imported ones, as the import says."""
    given = np.where(judged["submitted"] == UNKNOWN, judged["created"], judged["submitted"])
    return np.where(given == UNKNOWN, UNKNOWN, given // DAY)


def _seconds(judged: Rows) -> NDArray[np.float64]:
    known = (judged["claimed"] != UNKNOWN) & (judged["submitted"] != UNKNOWN)
    return np.where(known, (judged["submitted"] - judged["claimed"]) / 1e6, np.nan)


def _intents(prompts: tuple[PromptLabels, ...]) -> NDArray[np.int8]:
    return np.array([place(Intent, prompt.intent) for prompt in prompts], np.int8)
