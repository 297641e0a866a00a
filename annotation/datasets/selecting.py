"""Which pairs and responses become rows, and why the others do not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from annotation.datasets.deciding import (
    B_BETTER,
    NOT_KNOWN,
    NOT_SAFE,
    TIE,
    Decision,
    Scores,
    decided,
    fitted,
    label_shares,
    masked_responses,
    scores_of,
)
from annotation.datasets.recipe import BestOf, Format, Keep, LabelFrom, Margin, Masked, Recipe, Ties
from annotation.datasets.source import SCALES, UNANSWERED, Flags, Ints, Numbers, Source
from annotation.vocabulary import PAIR_QUESTIONS
from models_runtime.training.rows import MODES

SFT_MODES = np.array([mode in MODES for mode in SCALES["mode"]])
LEANINGS = ("response_0", "tie", "response_1")
RESPONSE_LABELS = {
    "safety": tuple(SCALES["safety"]),
    "severity": tuple(SCALES["severity"]),
    "helpfulness": ("1", "2", "3", "4"),
    "mode": tuple(SCALES["mode"]),
}
ROUNDING = 1e-9  # 2/3 as a share of votes is not below an agreement of 0.6666666666666666


@dataclass
class Sieve:
    """Units that are left out by the first reason that holds; the rest are kept."""

    units: Ints
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, reason: str, found: NDArray) -> None:
        """`found` says for every unit of the snapshot whether the reason holds."""
        unfit = found[self.units]
        self.left_out[reason] = int(unfit.sum())
        self.units = self.units[~unfit]


@dataclass(frozen=True)
class PairRows:
    """Pairs that become rows: `b_better` says which answer is preferred, of a row on `place` in `pair`."""

    pair: Ints
    b_better: Flags
    margin: Numbers
    chance: Numbers


@dataclass(frozen=True)
class Labels:
    """One question as probabilities: `posteriors` (pairs or responses, words); `units` become rows."""

    question: str
    unit: str
    words: tuple[str, ...]
    posteriors: Numbers
    n: Ints
    agreement: Numbers
    units: Ints


@dataclass(frozen=True)
class Plan:
    """What will be written. `unit` is what `left_out` counts: "pair", "response" or "label"; `judged` of them
    had a judgment that is used, `kept` became rows. `notes` tells what the rules could not do as asked."""

    unit: str
    judged: int
    kept: int
    left_out: dict[str, int]
    notes: dict[str, str]
    scores: Scores
    decisions: dict[str, Decision]
    pairs: PairRows | None = None
    responses: Ints | None = None
    labels: tuple[Labels, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows will be written for what is kept, before a format makes several of one."""
        if self.pairs is not None:
            return len(self.pairs.pair)
        return self.kept


def plan_of(source: Source, recipe: Recipe) -> Plan:
    """Decide by the recipe what becomes a row; for every format but raw judgments."""
    notes: dict[str, str] = {}
    n = len(source.responses.ids)
    scores = scores_of(source.parts, n, recipe.aggregation, notes)
    if recipe.is_of_pairs:
        return _plan_of_pairs(source, recipe, scores, notes)
    if recipe.format == Format.SOFT_LABELS:
        return _plan_of_labels(source, recipe, scores, notes)
    return _plan_of_responses(source, recipe, scores, notes)


# Pairs ----------------------------------------------------------------------------------------------------


def _plan_of_pairs(source: Source, recipe: Recipe, scores: Scores, notes: dict[str, str]) -> Plan:
    n = len(source.pairs.a)
    questions = [recipe.question, *(["safer"] if recipe.format == Format.PKU_SAFERLHF else [])]
    decisions = {
        question: decided(source.votes, question, n, recipe.aggregation, notes)
        for question in dict.fromkeys(questions)
    }
    sieve = Sieve(np.unique(source.votes.pair))
    judged = len(sieve.units)
    for reason, found in _pair_reasons(source, recipe, scores, decisions):
        sieve.leave_out(reason, found)
    if recipe.duplicates == Keep.LEAVE_OUT:
        weight = decisions[recipe.question].n
        sieve.leave_out("duplicate", _repeats(_pair_words(source), weight, sieve.units))
    rows = _pair_rows(source, recipe, scores, decisions[recipe.question], sieve.units, notes)
    return Plan("pair", judged, len(sieve.units), sieve.left_out, notes, scores, decisions, pairs=rows)


def _pair_reasons(
    source: Source, recipe: Recipe, scores: Scores, decisions: dict[str, Decision]
) -> Iterator[tuple[str, Flags]]:
    pairs, responses, prompts = source.pairs, source.responses, source.prompts
    prompt = responses.prompt[pairs.a]
    decision = decisions[recipe.question]
    yield "replaced", ~(responses.stands[pairs.a] & responses.stands[pairs.b])
    yield "no_vote", decision.n == 0
    yield "too_few_judgments", decision.n < recipe.min_judgments
    yield "all_both_bad", decision.both_bad == decision.n
    yield "low_agreement", decision.agreement < recipe.min_agreement - ROUNDING
    if recipe.ties == Ties.DROP:
        yield "tie", decision.side == TIE
    if recipe.format == Format.PKU_SAFERLHF:
        yield from _pku_reasons(source, recipe, scores, decisions["safer"])
    if recipe.format == Format.TRL_PREFERENCE and recipe.margin == Margin.REWARD:
        yield "no_score", np.isnan(scores.r[pairs.a]) | np.isnan(scores.r[pairs.b])
    if recipe.masked == Masked.LEAVE_OUT:
        yield "masked", pairs.masked
    yield "holds_policy", prompts.holds_policy[prompt]
    if recipe.format in (Format.PKU_SAFERLHF, Format.ANTHROPIC_HH):
        yield from _plain_text_reasons(source, recipe, prompt)


def _pku_reasons(
    source: Source, recipe: Recipe, scores: Scores, safer: Decision
) -> Iterator[tuple[str, Flags]]:
    a, b = source.pairs.a, source.pairs.b
    yield "no_vote_on_safer", safer.n == 0
    if recipe.ties == Ties.DROP:
        yield "tie_on_safer", safer.side == TIE
    yield "no_score", (scores.safe[a] == NOT_KNOWN) | (scores.safe[b] == NOT_KNOWN)
    unknown = (scores.safe == NOT_SAFE) & (scores.severity == NOT_KNOWN)
    yield "no_severity", unknown[a] | unknown[b]


def _plain_text_reasons(source: Source, recipe: Recipe, prompt: Ints) -> Iterator[tuple[str, Flags]]:
    """What has no place in a prompt that is one text, or in a transcript."""
    pairs, responses, prompts = source.pairs, source.responses, source.prompts
    if recipe.system_messages == Keep.KEEP:
        yield "system_message", prompts.has_system[prompt]
    if recipe.format == Format.PKU_SAFERLHF:
        yield "several_turns", ~prompts.one_turn[prompt]
    else:
        forged = responses.forges[pairs.a] | responses.forges[pairs.b] | prompts.forges[prompt]
        yield "forges_a_turn", forged
        yield "not_in_turns", ~prompts.in_turns[prompt]


def _pair_words(source: Source) -> NDArray:
    """(n, 3): the words of the prompt and of both answers, in any order of these."""
    words = source.responses.words
    answers = np.sort(np.column_stack([words[source.pairs.a], words[source.pairs.b]]), axis=1)
    prompt = source.prompts.words[source.responses.prompt[source.pairs.a]]
    return np.column_stack([prompt, answers])


def _repeats(words: NDArray, weight: Ints, units: Ints) -> Flags:
    """Which of the units say again what another says; of equal ones the most judged stays, then the first."""
    repeated = np.zeros(len(words), bool)
    order = units[np.argsort(-weight[units], kind="stable")]
    _, first = np.unique(words[order], axis=0, return_index=True)
    repeated[units] = True
    repeated[order[first]] = False
    return repeated


def _pair_rows(
    source: Source, recipe: Recipe, scores: Scores, decision: Decision, units: Ints, notes: dict[str, str]
) -> PairRows:
    """One row for each pair; with ties both ways two for a tie, one after the other."""
    times = np.ones(len(units), np.int64)
    if recipe.ties == Ties.BOTH_WAYS:
        times += decision.side[units] == TIE
    pair = np.repeat(units, times)
    again = np.r_[False, pair[1:] == pair[:-1]] if len(pair) else np.zeros(0, bool)
    tied = decision.side[pair] == TIE
    # Which answer of a tie comes first must not follow from the arms: it follows from the answers' words.
    words = source.responses.words
    drawn = words[source.pairs.b[pair]] > words[source.pairs.a[pair]]
    b_better = np.where(tied, drawn ^ again, decision.side[pair] == B_BETTER)
    chances = decision.chances[pair]
    towards = np.where(b_better, chances[:, 2], chances[:, 0]) + chances[:, 1] / 2
    margin = decision.strength[pair]
    if recipe.margin == Margin.REWARD:
        margin = _reward_margin(source, scores, pair, b_better, notes)
    return PairRows(pair, b_better, np.where(tied, 0.0, margin), np.where(tied, 0.5, towards))


def _reward_margin(
    source: Source, scores: Scores, pair: Ints, b_better: Flags, notes: dict[str, str]
) -> Numbers:
    r_a, r_b = scores.r[source.pairs.a[pair]], scores.r[source.pairs.b[pair]]
    difference = np.where(b_better, r_b - r_a, r_a - r_b)
    against = int((difference < 0).sum())
    if against:
        notes["margin"] = f"in {against} rows the chosen answer has the lower r: their margin is 0"
    return np.maximum(difference, 0.0)


# Responses ------------------------------------------------------------------------------------------------


def _plan_of_responses(source: Source, recipe: Recipe, scores: Scores, notes: dict[str, str]) -> Plan:
    sieve = Sieve(np.flatnonzero(scores.n > 0))
    judged = len(sieve.units)
    for reason, found in _response_reasons(source, recipe, scores):
        sieve.leave_out(reason, found)
    responses = source.responses
    words = np.column_stack([source.prompts.words[responses.prompt], responses.words])
    if recipe.duplicates == Keep.LEAVE_OUT:
        sieve.leave_out("duplicate", _repeats(words, scores.n, sieve.units))
    if recipe.format == Format.SFT:
        sieve.leave_out("not_the_best", _not_the_best(source, recipe, scores, sieve.units))
    # By their words, so that the order tells nothing of who wrote them.
    order = sieve.units[np.lexsort((words[sieve.units, 1], words[sieve.units, 0]))]
    return Plan("response", judged, len(order), sieve.left_out, notes, scores, {}, responses=order)


def _response_reasons(source: Source, recipe: Recipe, scores: Scores) -> Iterator[tuple[str, Flags]]:
    prompts, prompt = source.prompts, source.responses.prompt
    yield "replaced", ~source.responses.stands
    yield "no_score", np.isnan(scores.r)
    yield "too_few_judgments", scores.n < recipe.min_judgments
    yield "low_agreement", scores.agreement < recipe.min_agreement - ROUNDING
    if recipe.format == Format.SFT:
        yield "no_severity", scores.lacks_severity
        yield "unsafe", scores.s < recipe.least_safety
        yield "other_mode", ~((scores.mode != NOT_KNOWN) & SFT_MODES[scores.mode])
    if recipe.masked == Masked.LEAVE_OUT:
        yield "masked", scores.masked
    yield "holds_policy", prompts.holds_policy[prompt]


def _not_the_best(source: Source, recipe: Recipe, scores: Scores, units: Ints) -> Flags:
    """All but the one of highest r of each prompt, or of each prompt and mode; among equals the first."""
    group = source.responses.prompt[units] * (len(SCALES["mode"]) + 1)
    if recipe.best_of == BestOf.MODE:
        group = group + scores.mode[units]
    order = units[np.lexsort((units, -scores.r[units], group))]
    _, first = np.unique(np.sort(group), return_index=True)
    beaten = np.zeros(len(source.responses.ids), bool)
    beaten[units] = True
    beaten[order[first]] = False
    return beaten


def labels_from_reward(plan: Plan, recipe: Recipe) -> Flags:
    """Of each response of the plan whether its label is true."""
    assert recipe.label_from == LabelFrom.REWARD and plan.responses is not None
    return plan.scores.r[plan.responses] >= recipe.least_reward


# Soft labels ----------------------------------------------------------------------------------------------


def _plan_of_labels(source: Source, recipe: Recipe, scores: Scores, notes: dict[str, str]) -> Plan:
    """Every question of a pair or response that somebody answered is an item; a tie is no less one."""
    left_out: Counter[str] = Counter()
    labels = []
    for asked in _questions(source, recipe, notes):
        sieve = Sieve(np.flatnonzero(asked.n > 0))
        for reason, found in _label_reasons(source, recipe, asked):
            sieve.leave_out(reason, found)
        left_out.update(sieve.left_out)
        labels.append(replace(asked, units=sieve.units))
    judged = sum(int((asked.n > 0).sum()) for asked in labels)
    kept = sum(len(asked.units) for asked in labels)
    return Plan("label", judged, kept, dict(left_out), notes, scores, {}, labels=tuple(labels))


def _questions(source: Source, recipe: Recipe, notes: dict[str, str]) -> Iterator[Labels]:
    method, n_pairs, n = recipe.aggregation, len(source.pairs.a), len(source.responses.ids)
    everything = np.empty(0, np.int64)
    for question in PAIR_QUESTIONS:
        found = decided(source.votes, question, n_pairs, method, notes)
        yield Labels(question, "pair", LEANINGS, found.chances, found.n, found.agreement, everything)
    for question, words in RESPONSE_LABELS.items():
        values = getattr(source.parts, question)
        said = values != UNANSWERED
        places = values[said] - (question == "helpfulness")
        units = source.parts.response[said]
        fit = fitted(units, source.parts.rater[said], places, n, len(words), method)
        if fit.note:
            notes[question] = fit.note
        counts = np.bincount(units, minlength=n)
        shares = label_shares(units, places, n, len(words))
        yield Labels(question, "response", words, fit.posteriors, counts, shares.max(axis=1), everything)


def _label_reasons(source: Source, recipe: Recipe, asked: Labels) -> Iterator[tuple[str, Flags]]:
    responses, pairs = source.responses, source.pairs
    of_pairs = asked.unit == "pair"
    stands = responses.stands[pairs.a] & responses.stands[pairs.b] if of_pairs else responses.stands
    yield "replaced", ~stands
    yield "too_few_judgments", asked.n < recipe.min_judgments
    yield "low_agreement", asked.agreement < recipe.min_agreement - ROUNDING
    if recipe.masked == Masked.LEAVE_OUT:
        yield "masked", pairs.masked if of_pairs else masked_responses(source.parts, len(responses.ids))
    prompt = responses.prompt[pairs.a] if of_pairs else responses.prompt
    yield "holds_policy", source.prompts.holds_policy[prompt]
