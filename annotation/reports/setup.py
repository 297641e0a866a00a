"""What a study still lacks before raters can begin, step by step."""

from dataclasses import dataclass

from django.db.models import Count, Max, Min, Q, Sum

from annotation.models import Enrolment, Event, InvitationLink, Run, Study
from annotation.vocabulary import (
    PAIRS_OF_STUDY,
    EnrolmentState,
    GuidelineCondition,
    PairState,
    RunState,
    StudyState,
)

DONE, OPEN, ATTENTION, OPTIONAL = "done", "open", "attention", "optional"
STATES = {DONE: "Done", OPEN: "Still open", ATTENTION: "Needs attention", OPTIONAL: "Optional"}

TITLES = {
    "questions": "Question and scales",
    "guideline": "Guideline",
    "prompts": "Prompts",
    "arms": "Arms",
    "pairing": "Pairs and budget",
    "generation": "Responses",
    "raters": "Raters",
    "gold": "Gold pairs",
    "rehearsal": "Rehearsal",
    "opening": "Open the study",
}
"""The steps in their order, by the word that their addresses use.

Pairs are made when a run is done, by the rules of that moment: what says how many raters each gets
comes before.
"""


@dataclass(frozen=True)
class Step:
    """One step: `state` is DONE, OPEN, ATTENTION or OPTIONAL, and `told` says why in a sentence."""

    name: str
    state: str
    told: str

    @property
    def title(self) -> str:
        return TITLES[self.name]

    @property
    def state_in_words(self) -> str:
        return STATES[self.state]


@dataclass(frozen=True)
class Facts:
    """What the steps are told from.

    Pairs keep the number of raters that they were made with, `least_overlap` to `most_overlap` (without pairs
    the study's), and take `needed` judgments in all.
    """

    study: Study
    prompts: int
    arms: int
    generating: int
    has_guideline: bool
    run: Run | None
    open_pairs: bool
    held_pairs: bool
    least_overlap: int
    most_overlap: int
    needed: int
    raters: int
    links: int
    rehearsed: bool


def setup_report(study: Study) -> tuple[Step, ...]:
    """Every step of setting the study up. Ten queries, whatever the study's size."""
    facts = _facts(study)
    steps = [Step(name, *tell(facts)) for name, tell in TELLERS.items()]
    return (*steps, Step("opening", *_opening(facts, steps)))


def next_step(steps: tuple[Step, ...]) -> str:
    """The first step that waits for somebody; the last where none does."""
    return next((step.name for step in steps if step.state in (OPEN, ATTENTION)), steps[-1].name)


def _facts(study: Study) -> Facts:
    arms = study.arms.aggregate(all=Count("pk"), generating=Count("pk", filter=~Q(backend="")))
    raters = Enrolment.objects.filter(study=study, user__isnull=False, state=EnrolmentState.ACTIVE)
    raters_of_pairs = study.pairs.filter(state__in=PAIRS_OF_STUDY).aggregate(
        least=Min("overlap"), most=Max("overlap"), needed=Sum("overlap")
    )
    return Facts(
        study=study,
        prompts=study.prompts.count(),
        arms=arms["all"],
        generating=arms["generating"],
        has_guideline=study.guidelines.exists(),
        run=study.runs.numbered().first(),
        open_pairs=study.pairs.filter(state=PairState.OPEN).exists(),
        held_pairs=study.pairs.held().exists(),
        least_overlap=raters_of_pairs["least"] or study.overlap,
        most_overlap=raters_of_pairs["most"] or study.overlap,
        needed=raters_of_pairs["needed"] or 0,
        raters=raters.count(),
        links=InvitationLink.objects.filter(study=study, revoked_at__isnull=True).count(),
        rehearsed=Event.objects.filter(study=study, verb="rehearse").exists(),
    )


def _questions(facts: Facts) -> tuple[str, str]:
    if not facts.study.question.strip():
        return OPEN, "Say in a sentence what the study should answer."
    more = len(facts.study.further_questions)
    asked = "Raters are asked the safe-completion questions"
    return DONE, f"{asked}, and {more} more." if more else f"{asked}."


def _guideline(facts: Facts) -> tuple[str, str]:
    if facts.study.guideline_condition == GuidelineCondition.POLICY_FREE:
        return DONE, "Raters use their own judgment: they are shown no guideline."
    if not facts.has_guideline:
        return ATTENTION, "Raters are to read a guideline, and there is none yet."
    return DONE, "Raters read the newest version of the guideline."


def _prompts(facts: Facts) -> tuple[str, str]:
    if not facts.prompts:
        return OPEN, "There are no prompts yet."
    return DONE, f"{_count(facts.prompts, 'prompt')}."


def _arms(facts: Facts) -> tuple[str, str]:
    if not facts.arms:
        return OPEN, "There is nothing to compare yet: add two arms."
    if facts.arms == 1:
        return ATTENTION, "One arm alone makes no pairs: add another."
    return DONE, f"{facts.arms} arms, of which {facts.generating} generate here."


def _generation(facts: Facts) -> tuple[str, str]:
    state = facts.run.state if facts.run else ""
    if state in (RunState.RUNNING, RunState.GENERATED):
        return ATTENTION, f"Run {facts.run.number} is under way."
    if state in (RunState.FAILED, RunState.PAUSED):
        return ATTENTION, f"Run {facts.run.number} has stopped before its end."
    if facts.study.pair_count and facts.held_pairs:
        held = "some of them wait" if facts.open_pairs else "all wait"
        return ATTENTION, f"{_count(facts.study.pair_count, 'pair')}; {held} until you review them."
    if facts.study.pair_count:
        return DONE, f"{_count(facts.study.pair_count, 'pair')} can be rated."
    if facts.generating:
        return OPEN, "The arms have not answered the prompts yet."
    return OPEN, "No answers yet: import them, or add arms that generate."


def _pairing(facts: Facts) -> tuple[str, str]:
    study, told = facts.study, f"{_count(facts.study.overlap, 'rater')} for each pair"
    if study.overlap_max:
        told += f", up to {study.overlap_max} where they differ"
    if {facts.least_overlap, facts.most_overlap} != {study.overlap}:
        return DONE, f"{told} that is made from now on; those that are there have {_of_pairs(facts)}."
    return DONE, f"{told}: {facts.needed:,} judgments." if facts.needed else f"{told}."


def _of_pairs(facts: Facts) -> str:
    least, most = facts.least_overlap, facts.most_overlap
    raters = str(least) if least == most else f"{least} to {most}"
    return f"{raters}: {facts.needed:,} judgments"


def _raters(facts: Facts) -> tuple[str, str]:
    lacking = facts.least_overlap - facts.raters
    if lacking <= 0:
        return DONE, f"{_count(facts.raters, 'rater')} can rate."
    if facts.links:
        return DONE, f"{_count(facts.raters, 'rater')} so far; {_count(facts.links, 'link')} let more in."
    if not facts.raters:
        return OPEN, "Nobody rates in this study yet."
    more = f"{lacking} more {'is' if lacking == 1 else 'are'} needed"
    return ATTENTION, f"Each pair waits for {facts.least_overlap} raters: {more}."


def _gold(facts: Facts) -> tuple[str, str]:
    if not facts.study.gold_count:
        return OPTIONAL, "Pairs with a known answer show how carefully raters rate."
    mixed = facts.study.gold_percent
    told = f"{_count(facts.study.gold_count, 'gold pair')}, {mixed} of 100 pairs that raters get."
    return (DONE if mixed else ATTENTION), told


def _rehearsal(facts: Facts) -> tuple[str, str]:
    if facts.rehearsed:
        return DONE, "Somebody has judged a pair as a rater would."
    if not facts.study.pair_count:
        return OPTIONAL, "It can begin as soon as there is a pair."
    return OPTIONAL, "Judge a pair as a rater would; nothing of it is kept."


def _opening(facts: Facts, steps: list[Step]) -> tuple[str, str]:
    if facts.study.state == StudyState.OPEN:
        return DONE, "The study is open: raters get pairs."
    if not facts.open_pairs:
        held = "All pairs wait for review." if facts.held_pairs else "There are no pairs yet."
        return OPEN, f"Raters would get nothing: {held[0].lower()}{held[1:]}"
    waiting = [step for step in steps if step.state in (OPEN, ATTENTION)]
    if waiting:
        verb = "waits" if len(waiting) == 1 else "wait"
        return OPEN, f"{_count(len(waiting), 'step')} still {verb} for you."
    return OPEN, "Everything is ready."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


TELLERS = {
    "questions": _questions,
    "guideline": _guideline,
    "prompts": _prompts,
    "arms": _arms,
    "pairing": _pairing,
    "generation": _generation,
    "raters": _raters,
    "gold": _gold,
    "rehearsal": _rehearsal,
}
