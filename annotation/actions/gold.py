"""Pairs get a known answer: to check raters, to teach them, to examine them."""

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from annotation import draws
from annotation.actions import events
from annotation.errors import QualityRefused
from annotation.models import Gold, Pair, Study, User
from annotation.stats.gold_answers import Answers, expected_problems
from annotation.vocabulary import GoldUse, PairState

TAKEN = "Raters hold or have judged this pair already. Choose one that nobody has seen."


@transaction.atomic
def make_gold(
    pair: Pair,
    expected: Answers,
    use: GoldUse = GoldUse.CHECK,
    tolerance: int = 1,
    explanation: str = "",
    actor: User | None = None,
) -> Gold:
    """Take the pair out of what the study rates and keep what its answers should be.

    `expected` is by response a and b: see `Gold`. Raises QualityRefused where it is no answer, where somebody
    has the pair, or where practice would have nothing to explain.
    """
    if problems := expected_problems(expected):
        raise QualityRefused(" ".join(problems))
    if use == GoldUse.PRACTICE and not explanation.strip():
        raise QualityRefused("In practice raters read why: write an explanation.")
    _take_out(pair)
    study = Study.objects.get(pk=pair.study_id)
    made = Gold.objects.create(
        study=study,
        pair=pair,
        use=use,
        expected=dict(expected),
        tolerance=tolerance,
        explanation=explanation.strip(),
        place=draws.draw(study.seed, "gold place", pair.position),
        created_by=actor,
    )
    counts = {"pair_count": F("pair_count") - 1, "gold_count": F("gold_count") + int(use == GoldUse.CHECK)}
    Study.objects.filter(pk=study.pk).update(**counts)
    events.record(study, "make_gold", actor, pair=pair.pk, use=use, expected=dict(expected))
    return made


def _take_out(pair: Pair) -> None:
    """Make the pair gold. That nobody has seen it the trigger `pair_stays_as_it_was_given` makes sure."""
    # Only its own columns: with all slots open nobody holds the pair, however it is claimed meanwhile.
    untaken = Pair.objects.filter(pk=pair.pk, state=PairState.OPEN, open_slots=F("overlap"))
    try:
        with transaction.atomic():
            taken_out = untaken.update(state=PairState.GOLD)
    except IntegrityError as error:
        raise QualityRefused(TAKEN) from error
    if not taken_out:
        raise QualityRefused(TAKEN)


@transaction.atomic
def retire_gold(gold: Gold, actor: User | None = None) -> bool:
    """Give the gold pair to nobody else; what was answered stays. False when it was retired already."""
    live = Gold.objects.filter(pk=gold.pk, retired_at__isnull=True)
    if not live.update(retired_at=timezone.now()):
        return False
    if gold.use == GoldUse.CHECK:
        Study.objects.filter(pk=gold.study_id).update(gold_count=F("gold_count") - 1)
    events.record(gold.study, "retire_gold", actor, pair=gold.pair_id)
    return True
