"""Answers made without a database: by hand from a few rows, or drawn in any number."""

from collections.abc import Iterable, Mapping

import numpy as np

from annotation.reports.row_types import GRADE_ROW, PAIR_ROW, RESPONSE_ROW, Grader, PromptLabels, RaterLabels
from annotation.reports.rows import UNANSWERED, Answers, place
from annotation.vocabulary import Intent

ARMS = ("amber", "blue")
GRADER = Grader("judge", "1", "min", 1)
NO_ANSWERS = {
    "safety": UNANSWERED,
    "severity": UNANSWERED,
    "helpfulness": UNANSWERED,
    "mode": UNANSWERED,
    "facilitation": UNANSWERED,
    "safer": UNANSWERED,
    "more_helpful": UNANSWERED,
    "balance": UNANSWERED,
    "left_is_a": UNANSWERED,
    "confidence": UNANSWERED,
    "day": 20_000,
    "guideline": 1,
}


def a_prompt(number: int, intent: str = "benign", category: str = "hate", subset: tuple[str, ...] = ()):
    return PromptLabels(f"p{number:05}", intent, category, subset, "", "en")


def answers(
    responses: Iterable[Mapping] = (),
    pairs: Iterable[Mapping] = (),
    grades: Iterable[Mapping] = (),
    *,
    prompts: tuple[PromptLabels, ...] = (),
    raters: int = 3,
    arms: tuple[str, ...] = ARMS,
) -> Answers:
    """From rows as dictionaries; what a row leaves out is not answered. `intent` follows from the prompt."""
    rows = [list(map(dict, given)) for given in (responses, pairs, grades)]
    count = 1 + max((row["prompt"] for given in rows for row in given), default=-1)
    prompts = prompts or tuple(a_prompt(number) for number in range(count))
    for row in (*rows[0], *rows[2]):
        row["intent"] = place(Intent, prompts[row["prompt"]].intent)
    return Answers(
        arms=arms,
        prompts=prompts,
        raters=tuple(RaterLabels(f"r{number:03}", "") for number in range(raters)),
        of_responses=_table(rows[0], RESPONSE_ROW),
        of_pairs=_table(rows[1], PAIR_ROW),
        of_grades=_table(rows[2], GRADE_ROW),
        grader=GRADER if rows[2] else None,
    )


def _table(rows: list[dict], dtype: np.dtype) -> np.ndarray:
    table = np.zeros(len(rows), dtype)
    for number, row in enumerate(rows):
        for name in dtype.names:
            table[name][number] = row.get(name, NO_ANSWERS.get(name, 0))
    return table


def drawn(
    judgments: int = 600,
    raters: int = 6,
    overlap: int = 3,
    arms: tuple[str, ...] = ARMS,
    seed: int = 1,
    graded: bool = True,
) -> Answers:
    """A study in which raters mostly see what is there: `judgments` of pairs, and two answers about responses
    with each. Every prompt has one response of each arm, and one pair of every two arms."""
    rng = np.random.default_rng(seed)
    couples = [(a, b) for a in range(len(arms)) for b in range(a + 1, len(arms))]
    pairs = judgments // overlap
    count = -(-pairs // len(couples))
    intents = rng.integers(3, size=count)
    prompts = tuple(
        a_prompt(
            number,
            Intent.values[intents[number]],
            ("hate", "illicit", "erotic", "")[number % 4],
            (("bio",), ("bio", "cyber"), ())[number % 3],
        )
        for number in range(count)
    )
    pair = np.repeat(np.arange(pairs), overlap)
    who = rng.permuted(np.tile(np.arange(raters), (pairs, 1)), axis=1)[:, :overlap].ravel()
    of_pairs = np.zeros(len(pair), PAIR_ROW)
    couple = np.array(couples)[pair % len(couples)]
    of_pairs["rater"], of_pairs["pair"], of_pairs["prompt"] = who, pair, pair // len(couples)
    of_pairs["arm_a"], of_pairs["arm_b"] = couple.T
    of_pairs["day"], of_pairs["guideline"] = 20_000 + pair * 56 // max(1, pairs), 1 + pair % 2
    lean = rng.normal(size=pairs)
    for name in ("safer", "more_helpful", "balance"):
        of_pairs[name] = np.clip(np.rint(lean[pair] + rng.normal(size=len(pair))), -3, 3)
    of_pairs["both_bad"] = rng.random(len(pair)) < 0.1
    of_pairs["balance"][of_pairs["both_bad"]] = UNANSWERED
    of_responses = _responses_of(of_pairs, intents, len(arms), rng)
    return Answers(
        arms=arms,
        prompts=prompts,
        raters=tuple(RaterLabels(f"r{number:03}", ("", "web")[number % 2]) for number in range(raters)),
        of_responses=of_responses,
        of_pairs=of_pairs,
        of_grades=_grades_of(of_responses, rng) if graded else np.zeros(0, GRADE_ROW),
        grader=GRADER if graded else None,
        categories=("hate", "violence"),
    )


def _responses_of(of_pairs: np.ndarray, intents: np.ndarray, arms: int, rng) -> np.ndarray:
    rows = np.zeros(2 * len(of_pairs), RESPONSE_ROW)
    for name in ("rater", "prompt", "day", "guideline"):
        rows[name] = np.repeat(of_pairs[name], 2)
    rows["arm"] = np.column_stack([of_pairs["arm_a"], of_pairs["arm_b"]]).ravel()
    rows["response"] = rows["prompt"] * arms + rows["arm"]
    rows["intent"] = intents[rows["prompt"]]
    badness = rng.normal(size=len(intents) * arms)[rows["response"]] + rows["intent"] - 1 - rows["arm"] / 2
    rows["safety"] = np.clip(np.rint(badness + rng.normal(size=len(rows)) / 2), 0, 3)
    noise = rng.normal(size=len(rows)) / 2
    unsafe = rows["safety"] >= 2
    rows["severity"] = np.where(unsafe, np.clip(np.rint(badness + noise), 0, 3), UNANSWERED)
    rows["helpfulness"] = np.clip(np.rint(2.5 + noise - badness / 2), 1, 4)
    rows["mode"] = np.where(unsafe, 4, np.clip(np.rint(1 + noise), 0, 3))
    rows["facilitation"] = badness + noise > 2
    rows["categories"] = np.where(unsafe, (badness + noise > 1.5) + 2 * (noise > 0.3), 0)
    return rows


def _grades_of(of_responses: np.ndarray, rng) -> np.ndarray:
    """Of nine responses in ten, near what the first rater of each said."""
    _, first = np.unique(of_responses["response"], return_index=True)
    said = of_responses[first][rng.random(len(first)) < 0.9]
    rows = np.zeros(len(said), GRADE_ROW)
    for name in ("response", "prompt", "arm", "intent"):
        rows[name] = said[name]
    seen = np.clip(said["safety"] + rng.integers(-1, 2, len(said)), 0, 3)
    rows["unsafe"] = seen >= 2
    rows["severity"] = np.where(
        rows["unsafe"], np.clip(seen - 1 + rng.integers(0, 2, len(said)), 0, 3), UNANSWERED
    )
    rows["s"] = np.where(
        rows["unsafe"], np.array([0.67, 0.33, 0, 0])[np.minimum(rows["severity"], 3)], 1 - seen * 0.1
    )
    rows["h"] = (said["helpfulness"] - 1) / 3
    return rows
