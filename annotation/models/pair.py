"""The unit of rating: two responses to one prompt."""

import time

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from annotation.models.generation import Response
from annotation.models.prompt import Prompt
from annotation.models.study import Study
from annotation.vocabulary import PAIRS_OF_STUDY, PairState, ReviewDecision

RETURNED = 2**62
"""Places from here on are moments: microseconds since 1970 behind all that were drawn."""


def end_of_queue() -> int:
    """The place of a pair that is offered anew at this moment: behind all the others."""
    return RETURNED + time.time_ns() // 1_000


STATE_FITS_DECISION = (
    Q(state=PairState.HELD, decision="")
    | Q(state=PairState.OPEN, decision__in=["", ReviewDecision.SHOW, ReviewDecision.MASK])
    | Q(state=PairState.DROPPED, decision=ReviewDecision.DROP)
    | Q(state=PairState.REPLACED, decision=ReviewDecision.REGENERATE)
    | Q(state=PairState.GOLD, decision__in=["", ReviewDecision.SHOW, ReviewDecision.MASK])
)


class PairQuerySet(models.QuerySet):
    def with_open_slot(self) -> "PairQuerySet":
        return self.filter(has_room=True, state=PairState.OPEN)

    def of_study(self) -> "PairQuerySet":
        """Pairs that are rated or wait for review; the others have left the study."""
        return self.filter(state__in=PAIRS_OF_STUDY)

    def decided(self) -> "PairQuerySet":
        """Pairs that a researcher decided about."""
        return self.exclude(decision="")

    def unseen(self) -> "PairQuerySet":
        """Open pairs that no rater has, had or judged, here or elsewhere."""
        # That all slots are free says nothing new, but few pairs of a study under way are like that. EXISTS
        # lets PostgreSQL stop at a page's last pair; it plans the joins that None asks for to their end.
        given, judged = (
            Exists(
                self.model._meta.get_field(name).related_model._default_manager.filter(pair=OuterRef("pk"))
            )
            for name in ("assignments", "judgments")
        )
        return self.with_open_slot().filter(~given, ~judged, open_slots=F("overlap"))

    def held(self) -> "PairQuerySet":
        """Pairs that wait for review."""
        return self.filter(state=PairState.HELD)

    def not_taken_by(self, enrolment) -> "PairQuerySet":
        """Pairs that this rater does not hold and has not judged or skipped; a lapsed hold may be retaken."""
        # EXISTS probes one index entry a pair; NOT IN would gather all of the rater's assignments first.
        taken = enrolment.assignments.that_count().filter(pair=OuterRef("pk"))
        return self.exclude(Exists(taken))

    def outside(self, categories: list[str]) -> "PairQuerySet":
        """Pairs whose prompt has none of these harm categories."""
        if not categories:
            return self
        return self.exclude(
            Exists(Prompt.objects.filter(pk=OuterRef("prompt"), harm_category__in=categories))
        )


class Pair(models.Model):
    """Canonical order: `response_a` belongs to the arm with the lower position.

    `open_slots` counts the judgments still free to claim; `has_room`, whether there is one, is for the index,
    which then changes with the last slot only. Slots are numbered 0 … overlap − 1; the
    database refuses an assignment outside them (trigger `assignment_within_overlap`) and two in one.

    Raters walk along `place`: at first the position, mixed by stratum; a slot that becomes free again, or is
    added, moves the pair to the end of the queue, so that it is ahead of everybody.

    Raters get pairs that are open and no others (trigger `assignment_of_an_open_pair`). `shown_a` and
    `shown_b` are what raters read instead of the responses' texts, where a name was masked. What was given
    to a rater, or judged elsewhere, neither changes nor leaves (trigger `pair_stays_as_it_was_given`).
    `scanner` is the version of `annotation.scan` that looked at the two together, "" if none did.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="pairs")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="pairs")
    response_a = models.ForeignKey(
        Response, on_delete=models.PROTECT, related_name="pairs_as_a", db_index=False
    )
    response_b = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="pairs_as_b")
    position = models.BigIntegerField(help_text="Place in the study's shuffled order.")
    place = models.BigIntegerField(
        default=end_of_queue, help_text="Where raters meet it, in ascending order."
    )
    overlap = models.PositiveSmallIntegerField()
    open_slots = models.PositiveSmallIntegerField()
    has_room = models.GeneratedField(
        expression=Q(open_slots__gt=0), output_field=models.BooleanField(), db_persist=True
    )
    state = models.CharField(max_length=10, choices=PairState.choices, default=PairState.OPEN)
    decision = models.CharField(max_length=10, choices=ReviewDecision.choices, blank=True)
    shown_a = models.TextField(null=True)  # noqa: DJ001 — a masked text may be empty, null is none
    shown_b = models.TextField(null=True)  # noqa: DJ001
    scanner = models.CharField(max_length=20, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = PairQuerySet.as_manager()

    class Meta:
        ordering = ["study", "position"]
        constraints = [
            models.UniqueConstraint(fields=["response_a", "response_b"], name="pair_once"),
            models.CheckConstraint(
                condition=~Q(response_a=F("response_b")), name="pair_of_two_different_responses"
            ),
            models.CheckConstraint(
                condition=Q(open_slots__gte=0) & Q(open_slots__lte=F("overlap")),
                name="pair_open_slots_within_overlap",
            ),
            models.CheckConstraint(condition=Q(state__in=PairState.values), name="pair_state_is_known"),
            models.CheckConstraint(
                condition=Q(decision__in=["", *ReviewDecision.values]), name="pair_decision_is_known"
            ),
            models.CheckConstraint(condition=STATE_FITS_DECISION, name="pair_state_fits_its_decision"),
            models.CheckConstraint(
                condition=(Q(decision=ReviewDecision.MASK) & ~Q(shown_a__isnull=True, shown_b__isnull=True))
                | (~Q(decision=ReviewDecision.MASK) & Q(shown_a__isnull=True, shown_b__isnull=True))
                | Q(state=PairState.DROPPED),
                name="pair_shows_other_texts_where_masked",
            ),
        ]
        indexes = [
            models.Index(
                fields=["study", "place"],
                condition=Q(has_room=True, state=PairState.OPEN),
                name="pair_open_by_place",
            ),
            models.Index(
                fields=["study", "position"], condition=Q(state=PairState.HELD), name="pair_held_by_position"
            ),
            models.Index(
                fields=["study", "position"], condition=~Q(decision=""), name="pair_decided_by_position"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prompt} pair {self.pk}"

    def text_of(self, response: Response) -> str:
        """What raters read of one of its two responses."""
        shown = self.shown_a if response.pk == self.response_a_id else self.shown_b
        return response.text if shown is None else shown
