"""What the scanner noticed before anybody was shown it."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from annotation.models.generation import Response
from annotation.models.pair import Pair
from annotation.vocabulary import MarkKind


class MarkQuerySet(models.QuerySet):
    def standing(self) -> "MarkQuerySet":
        """Marks by the version that looked last; what an earlier version saw is only kept."""
        return self.filter(Q(scanner=F("response__scanner")) | Q(scanner=F("pair__scanner")))


class Mark(models.Model):
    """One kind of trouble with a response, or with a pair as such, as one version of the scanner saw it.

    `detail` is what `annotation.scan` says: "spans", a list of [start, end, quote] in the stored text, and
    what else the kind has to tell.
    """

    response = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="marks", null=True)
    pair = models.ForeignKey(Pair, on_delete=models.PROTECT, related_name="marks", null=True)
    kind = models.CharField(max_length=20, choices=MarkKind.choices)
    detail = models.JSONField(default=dict)
    scanner = models.CharField(max_length=20, help_text="The version that made the mark.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = MarkQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(response__isnull=True, pair__isnull=False)
                | Q(response__isnull=False, pair__isnull=True),
                name="mark_of_a_response_or_a_pair",
            ),
            models.CheckConstraint(condition=Q(kind__in=MarkKind.values), name="mark_kind_is_known"),
            models.UniqueConstraint(
                fields=["response", "kind", "scanner"], name="mark_once_per_response_and_kind"
            ),
            models.UniqueConstraint(fields=["pair", "kind", "scanner"], name="mark_once_per_pair_and_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.response or self.pair}"
