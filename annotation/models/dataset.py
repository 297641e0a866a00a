"""Files for training, made from a snapshot: who asked for which, how far they are, and where they stand."""

from django.db import models
from django.db.models import Q

from annotation.models.claimed import AskedFor, ClaimedQuerySet
from annotation.models.snapshot import Snapshot
from annotation.vocabulary import BatchState

UNFINISHED = (BatchState.QUEUED, BatchState.CLAIMED)
UNFINISHED_OR_MADE = (*UNFINISHED, BatchState.DONE)


class Dataset(AskedFor):
    """One making of a dataset, asked for and claimed like a batch (`actions.leases`).

    `number` counts within the snapshot. `recipe` is `datasets.recipe.Recipe` as JSON, `recipe_sha256` names
    it. `step`, `done` and `total` tell how far a worker is. When it is done, `folder` holds the files and
    `manifest` says what they are.
    """

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="datasets")
    recipe = models.JSONField()
    recipe_sha256 = models.CharField(max_length=64)
    step = models.CharField(max_length=40, blank=True)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    folder = models.CharField(max_length=500, blank=True)
    manifest = models.JSONField(null=True)

    objects = ClaimedQuerySet.as_manager()

    class Meta(AskedFor.Meta):
        ordering = ["snapshot", "-number"]
        constraints = [
            *AskedFor.Meta.constraints,
            models.UniqueConstraint(fields=["snapshot", "number"], name="dataset_number_once_per_snapshot"),
            models.UniqueConstraint(
                fields=["snapshot", "recipe_sha256"],
                condition=Q(state__in=UNFINISHED_OR_MADE),
                name="dataset_once_per_recipe",
            ),
            models.CheckConstraint(
                condition=~Q(state=BatchState.DONE) | (Q(manifest__isnull=False) & ~Q(folder="")),
                name="dataset_done_has_files",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.snapshot} dataset {self.number}"
