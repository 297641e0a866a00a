"""Answers made by hand: what a source would tell, without a database."""

from collections.abc import Iterable

import numpy as np

from annotation.reports.row_types import (
    GRADE_ROW,
    PAIR_ROW,
    RESPONSE_ROW,
    UNANSWERED,
    PromptLabels,
    RaterLabels,
)
from annotation.reports.rows import Answers

PAIR = dict(
    {name: UNANSWERED for name in ("safer", "more_helpful", "balance", "left_is_a", "confidence")},
    **{"rater": 0, "arm_a": 0, "arm_b": 1, "both_bad": False, "length_a": 100, "length_b": 100},
    **{"seconds": np.nan, "guideline": 0, "day": 20_000},
)
RESPONSE = dict(
    {name: UNANSWERED for name in ("safety", "severity", "helpfulness", "mode", "facilitation")},
    **{"rater": 0, "arm": 0, "intent": 0, "categories": 0, "length": 100, "guideline": 0, "day": 20_000},
)


def made(
    pairs: Iterable[dict] = (),
    responses: Iterable[dict] = (),
    arms: tuple[str, ...] = ("one", "two"),
    prompts: int | tuple[PromptLabels, ...] = 0,
    raters: int | tuple[RaterLabels, ...] = 0,
    **more,
) -> Answers:
    """Rows by the columns that matter, in the order given; `pair` and `response` are the prompt's place where
    they are not given. Prompts and raters are as many as the rows speak of, at least."""
    of_pairs = _rows(PAIR_ROW, PAIR, "pair", pairs)
    of_responses = _rows(RESPONSE_ROW, RESPONSE, "response", responses)
    both = (of_pairs, of_responses)
    if isinstance(prompts, int):
        prompts = tuple(a_prompt(number) for number in range(max(prompts, _most(both, "prompt"))))
    if isinstance(raters, int):
        raters = tuple(RaterLabels(f"R{number}", "") for number in range(max(raters, _most(both, "rater"))))
    told = {"is_final": True, **more}
    return Answers(arms, prompts, raters, of_responses, of_pairs, np.empty(0, GRADE_ROW), **told)


def a_prompt(number: int, intent: str = "benign", subset: tuple[str, ...] = ()) -> PromptLabels:
    return PromptLabels(f"p{number:05}", intent, "", subset, "", "en")


def _rows(dtype: np.dtype, default: dict, item: str, told: Iterable[dict]) -> np.ndarray:
    filled = [{**default, item: row["prompt"], **row} for row in told]
    return np.array([tuple(row[name] for name in dtype.names) for row in filled], dtype)


def _most(tables: tuple[np.ndarray, ...], name: str) -> int:
    return max(int(rows[name].max(initial=-1)) + 1 for rows in tables)


def drawn(
    seed: int = 1,
    prompts: int = 60,
    raters: int = 3,
    arms: tuple[str, ...] = ("one", "two"),
    lean: float = -0.4,
) -> Answers:
    """A study drawn at random: every two arms on every prompt, judged by every rater on every question.

    `lean` below 0 favours the first arms.
    """
    draw = np.random.default_rng(seed)
    pairs, responses = [], []
    two = [(a, b) for a in range(len(arms)) for b in range(a + 1, len(arms))]
    lengths = draw.integers(50, 900, (prompts, len(arms)))
    for prompt in range(prompts):
        of_prompt = draw.normal(lean, 0.8)
        for rater in range(raters):
            pairs += [
                _a_pair(draw, prompt, rater, two, place, of_prompt, lengths) for place in range(len(two))
            ]
            responses += [_a_response(draw, prompt, rater, arm, len(arms)) for arm in range(len(arms))]
    return made(pairs, responses, arms)


def _a_pair(draw, prompt: int, rater: int, two: list, place: int, lean: float, lengths: np.ndarray) -> dict:
    a, b = two[place]
    both_bad = bool(draw.random() < 0.1)
    said = {
        name: int(np.clip(round(draw.normal(lean, 1.5)), -3, 3))
        for name in ("safer", "more_helpful", "balance")
    }
    if both_bad:
        said["balance"] = UNANSWERED
    return {
        **said,
        **{"prompt": prompt, "pair": prompt * len(two) + place, "rater": rater, "arm_a": a, "arm_b": b},
        **{"both_bad": both_bad, "left_is_a": int(draw.integers(2))},
        **{"length_a": lengths[prompt, a], "length_b": lengths[prompt, b]},
    }


def _a_response(draw, prompt: int, rater: int, arm: int, arms: int) -> dict:
    safety = int(draw.integers(4))
    return {
        **{"prompt": prompt, "response": prompt * arms + arm, "rater": rater, "arm": arm},
        **{"safety": safety, "severity": int(draw.integers(4)) if safety > 1 else UNANSWERED},
        **{"helpfulness": int(draw.integers(1, 5)), "mode": int(draw.integers(6))},
    }
