"""How large a study must be: before it opens from assumptions, after a pilot from its own answers."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, replace

import numpy as np

from annotation.errors import BadPlan
from annotation.reports.duels import ARMS, HEADLINE, Duel, duels
from annotation.reports.rows import Answers
from annotation.reports.tables import Column, Table, Value
from annotation.stats.errors import BadInput
from annotation.stats.planning import (
    Design,
    StudySize,
    half_width,
    intraclass_correlation,
    size_for_half_width,
    size_to_detect,
)

WIDTHS = (0.10, 0.05, 0.03)
RATES = (0.55, 0.60, 0.65)
LEAST_PROMPTS = 10
"""A pilot of fewer prompts tells nothing about how alike judgments are."""

ASSUMED, OBSERVED = "assumed", "this study’s answers"
WIDTH, RATE = "width", "rate"
"""What is asked for: an interval of ± so much, or a win rate that is told from one half."""

SIZES = (
    Column("prompts", "Prompts", "count"),
    Column("pairs", "Pairs", "count"),
    Column("judgments", "Judgments", "count"),
    Column("raters", "Raters, at least", "count"),
)
GOALS = (Column("goal", "To have"), Column("target", "Target", "share"))
CAPTION = (
    "The smallest study for each goal, for two arms, on the balance, with ties as half: an interval of at "
    "most ± the target at a win rate of one half, or a win rate of the target that is told from one half "
    "with a power of 80 %; both at 95 %, looked at once (watching takes more). From the normal "
    "approximation with nested samples (Cochran 1977, ch. 10): judgments of one prompt, and still more of "
    "one pair, are alike, so that more raters on a pair buy less than more prompts do. Where ten prompts "
    "were judged, overlap, pairs of a prompt, ties and likeness (intraclass correlations, below 0 read as "
    "0) are the study’s own; else they are assumptions. Likeness that cannot be seen yet, because no "
    "prompt or no pair has two judgments, is assumed too."
)


@dataclass(frozen=True)
class Assumptions:
    """What a size depends on. Shares are from 0 to 1: `ties` of the judgments (both bad too),
    `prompt_share` how alike judgments of one prompt's different pairs are, `pair_share` what judgments of
    the same pair have in common beyond that. `source` says where they come from; of `judged` judgments.
    """

    overlap: int = 3
    pairs_per_prompt: int = 1
    ties: float = 0.2
    prompt_share: float = 0.1
    pair_share: float = 0.2
    judgments_per_rater: int = 100
    power: float = 0.8
    source: str = ASSUMED
    judged: int = 0

    @property
    def design(self) -> Design:
        return Design(self.pairs_per_prompt, self.overlap, self.prompt_share, self.pair_share)


@dataclass(frozen=True)
class Plan:
    """What was asked for and how large a study answers it; `here` is the half-width that the study's own
    prompts would have, None where it has none."""

    goal: str
    target: float
    assumptions: Assumptions
    size: StudySize
    here: float | None = None


def planning_table(answers: Answers) -> Table:
    """Sizes for the usual goals, for every two arms; from assumptions where they were not judged."""
    columns = (
        *ARMS,
        *GOALS,
        *SIZES,
        Column("reason", "Why not"),
        Column("source", "From"),
        Column("overlap", "Raters a pair", "count"),
        Column("pairs_per_prompt", "Pairs a prompt", "count"),
        Column("ties", "Ties", "share"),
        Column("prompt_share", "Alike within a prompt", "number"),
        Column("pair_share", "More within a pair", "number"),
        Column("judged", "Judgments behind it", "count"),
    )
    rows = tuple(row for of in duels(answers, (HEADLINE,)) for row in _rows(of))
    return Table("planning", "How large a study must be", CAPTION, columns, rows, n="judged")


def _rows(of: Duel) -> Iterator[tuple[Value, ...]]:
    told = observed(of)
    for goal, target in usual_goals():
        size, reason = _size_or_reason(goal, target, told)
        yield (
            *(of.arm_a, of.arm_b, goal, target),
            *(size or (None, None, None, None)),
            *(reason, told.source, told.overlap, told.pairs_per_prompt),
            *(told.ties, told.prompt_share, told.pair_share, told.judged),
        )


def _size_or_reason(goal: str, target: float, told: Assumptions) -> tuple[tuple[int, ...] | None, str]:
    try:
        return astuple(plan(goal, target, told).size), ""
    except BadPlan as error:
        return None, str(error)


def usual_goals() -> tuple[tuple[str, float], ...]:
    return (*((WIDTH, width) for width in WIDTHS), *((RATE, rate) for rate in RATES))


def observed(of: Duel, before: Assumptions | None = None) -> Assumptions:
    """What the duel's own judgments say, else what was assumed `before`."""
    before = before or Assumptions()
    prompts, pairs = of.rows["prompt"], of.rows["pair"]
    if of.prompts < LEAST_PROMPTS:
        return before
    prompt_share, pair_share = _likeness(of.outcomes, prompts, pairs, before)
    return replace(
        before,
        overlap=max(1, round(len(of) / of.pairs)),
        pairs_per_prompt=max(1, round(of.pairs / of.prompts)),
        ties=float((of.outcomes == 0.5).mean()),
        prompt_share=prompt_share,
        pair_share=pair_share,
        source=OBSERVED,
        judged=len(of),
    )


def _likeness(
    outcomes: np.ndarray, prompts: np.ndarray, pairs: np.ndarray, before: Assumptions
) -> tuple[float, float]:
    """The shares of variance of prompts and of pairs within prompts.

    Two judgments of one prompt but different pairs share the prompt; so the first judgment of each pair tells
    the prompts' share, and all of them what a pair's judgments share in all.
    """
    _, first = np.unique(pairs, return_index=True)
    of_prompt = intraclass_correlation(outcomes[first], prompts[first]).value
    of_pair = intraclass_correlation(outcomes, pairs).value
    if of_prompt is None and of_pair is None:
        return before.prompt_share, before.pair_share
    if of_prompt is None:
        # One pair a prompt: what is the pair's and what the prompt's cannot be told apart, and need not be.
        return 0.0, float(np.clip(of_pair, 0, 1))
    prompt_share = float(np.clip(of_prompt, 0, 1))
    pair_share = before.pair_share if of_pair is None else of_pair - prompt_share
    return prompt_share, float(np.clip(pair_share, 0, 1 - prompt_share))


# One question ----------------------------------------------------------------------------------------

LIMITS = {
    "overlap": (1, 100),
    "pairs_per_prompt": (1, 1000),
    "judgments_per_rater": (1, 1_000_000),
    "ties": (0, 100),
    "prompt_share": (0, 1),
    "pair_share": (0, 1),
    "power": (1, 99.9),
    "target": (0.1, 99.9),
}
"""The numbers of a query with their least and most; ties, power and target are in per cent."""

IN_PERCENT = ("ties", "power", "target")
WHOLE = ("overlap", "pairs_per_prompt", "judgments_per_rater")
TARGETS = {WIDTH: 5.0, RATE: 60.0}
"""What is asked for where the query does not say, in points or per cent."""


def assumptions_for(answers: Answers, overlap: int) -> Assumptions:
    """What the study's best-judged two arms say, or assumptions with its overlap."""
    before = Assumptions(overlap=overlap)
    found = max(duels(answers, (HEADLINE,)), key=len, default=None)
    return before if found is None else observed(found, before)


def as_query(plan_of: Assumptions, goal: str = WIDTH, target: float | None = None) -> dict[str, str]:
    """The query that asks for this, as `plan_from_query` reads it."""
    told = {name: value for name, value in asdict(plan_of).items() if name in LIMITS}
    percent = {name: 100 * told[name] for name in IN_PERCENT if name in told}
    numbers = {**told, **percent, "target": TARGETS[goal] if target is None else 100 * target}
    return {
        "goal": goal,
        **{name: f"{value:.4g}" if name not in WHOLE else str(value) for name, value in numbers.items()},
    }


def plan_from_query(query: Mapping[str, str], before: Assumptions, prompts: int = 0) -> Plan:
    """What the query asks; what it leaves out is as `before` says. `prompts` are those that the study has.

    Names: `goal` (WIDTH or RATE), `target` (points, or per cent), `overlap`, `pairs_per_prompt`, `ties` and
    `power` (per cent), `prompt_share`, `pair_share`, `judgments_per_rater`. Raises BadPlan.
    """
    if odd := sorted(set(query) - set(LIMITS) - {"goal"}):
        raise BadPlan(f"A plan knows no “{odd[0][:50]}”; there are: goal, {', '.join(sorted(LIMITS))}.")
    goal = query.get("goal") or WIDTH
    if goal not in TARGETS:
        raise BadPlan(f"The goal is “{WIDTH}” (a half-width) or “{RATE}” (a win rate), not “{goal[:50]}”.")
    numbers = {
        name: _number(name, text.strip()) for name, text in query.items() if name in LIMITS and text.strip()
    }
    target = numbers.pop("target", TARGETS[goal] / 100)
    changed = {
        name: value for name, value in numbers.items() if f"{value:.4g}" != f"{getattr(before, name):.4g}"
    }
    asked = replace(before, **_typed(numbers), source=ASSUMED if changed else before.source)
    return plan(goal, target, asked, prompts)


def _number(name: str, text: str) -> float:
    least, most = LIMITS[name]
    try:
        number = float(text)
    except ValueError:
        raise BadPlan(f"“{name}” must be a number, not “{text[:50]}”.") from None
    if not least <= number <= most or (name in WHOLE and number != int(number)):
        kind = "a whole number" if name in WHOLE else "a number"
        raise BadPlan(f"“{name}” must be {kind} from {least} to {most:,}, not {text[:50]}.")
    return number / 100 if name in IN_PERCENT else number


def _typed(numbers: Mapping[str, float]) -> dict:
    return {name: int(number) if name in WHOLE else number for name, number in numbers.items()}


def plan(goal: str, target: float, given: Assumptions, prompts: int = 0) -> Plan:
    """How large a study has the goal. Raises BadPlan for assumptions that contradict each other."""
    if given.ties == 1:
        raise BadPlan("Every judgment is a tie: then no number of them tells two arms apart.")
    try:
        size = _size(goal, target, given)
        here = half_width(prompts, given.design, ties=given.ties) if prompts else None
    except BadInput as error:
        raise BadPlan(str(error)) from error
    return Plan(goal, target, given, size, here)


def plans_for_usual_goals(given: Assumptions) -> tuple[Plan, ...]:
    """The table beside the answer; goals that the assumptions make impossible are left out."""
    found = []
    for goal, target in usual_goals():
        try:
            found.append(plan(goal, target, given))
        except BadPlan:
            continue
    return tuple(found)


def _size(goal: str, target: float, given: Assumptions) -> StudySize:
    more = {"ties": given.ties, "judgments_per_rater": given.judgments_per_rater}
    if goal == WIDTH:
        return size_for_half_width(target, given.design, **more)
    return size_to_detect(target, given.design, power=given.power, **more)
