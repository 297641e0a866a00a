"""Trainings that were asked for on the desk, and what they told while they ran."""

from django.db import models
from django.db.models import Q

from annotation.models.arm import Arm
from annotation.models.claimed import AskedFor, ClaimedQuerySet
from annotation.models.snapshot import Snapshot
from annotation.models.study import Study
from annotation.vocabulary import BatchState, TrainingStage

UNFINISHED = (BatchState.QUEUED, BatchState.CLAIMED)
SCORED_STAGES = (TrainingStage.RL, TrainingStage.EVALUATE)
"""Stages that need the two reward models."""


class Training(AskedFor):
    """One training or evaluation on a snapshot, claimed by a worker like a batch (`actions.leases`).

    It starts from an arm's model or from an earlier training (an evaluation may have neither). `arguments`
    are the settings of `actions.training_settings`. Cancelled means stopped: it can go on from its last
    checkpoint. `step` of `steps` is where it stands; `result` is what it said at its end.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="trainings")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="trainings")
    stage = models.CharField(max_length=10, choices=TrainingStage.choices)
    arguments = models.JSONField(default=dict)
    start_arm = models.ForeignKey(Arm, on_delete=models.PROTECT, related_name="+", null=True)
    start_training = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", null=True)
    helpfulness = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", null=True)
    safety = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", null=True)
    step = models.PositiveIntegerField(default=0)
    steps = models.PositiveIntegerField(default=0)
    result = models.JSONField(default=dict)
    stop_asked_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)

    objects = ClaimedQuerySet.as_manager()

    class Meta(AskedFor.Meta):
        ordering = ["study", "-number"]
        constraints = [
            *AskedFor.Meta.constraints,
            models.UniqueConstraint(fields=["study", "number"], name="training_number_once_per_study"),
            models.CheckConstraint(
                condition=Q(stage__in=TrainingStage.values), name="training_stage_is_known"
            ),
            models.CheckConstraint(
                condition=Q(start_arm__isnull=False, start_training__isnull=True)
                | Q(start_arm__isnull=True, start_training__isnull=False)
                | Q(start_arm__isnull=True, start_training__isnull=True, stage=TrainingStage.EVALUATE),
                name="training_starts_from_one_model",
            ),
            models.CheckConstraint(
                condition=Q(stage__in=SCORED_STAGES, helpfulness__isnull=False, safety__isnull=False)
                | (~Q(stage__in=SCORED_STAGES) & Q(helpfulness__isnull=True, safety__isnull=True)),
                name="training_has_reward_models_where_it_needs_them",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study.slug} training {self.number}"


class Registration(AskedFor):
    """A finished training on its way to become an arm, claimed by a worker like a batch (`actions.leases`).

    A worker, because all weights are read for their digests. `name` is the arm's; `arm` is there when it is
    done.
    """

    training = models.ForeignKey(Training, on_delete=models.PROTECT, related_name="registrations")
    name = models.CharField(max_length=100)
    arm = models.ForeignKey(Arm, on_delete=models.PROTECT, related_name="+", null=True)

    objects = ClaimedQuerySet.as_manager()

    class Meta(AskedFor.Meta):
        ordering = ["-pk"]
        constraints = [
            *AskedFor.Meta.constraints,
            models.UniqueConstraint(
                fields=["training"],
                condition=Q(state__in=UNFINISHED),
                name="registration_unfinished_once_per_training",
            ),
            models.CheckConstraint(
                condition=~Q(state=BatchState.DONE) | Q(arm__isnull=False),
                name="registration_done_has_an_arm",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.training} as “{self.name}”"


class TrainingMetric(models.Model):
    """What a training told at one step: `told` is name → number, such as the loss."""

    training = models.ForeignKey(Training, on_delete=models.CASCADE, related_name="metrics")
    step = models.PositiveIntegerField()
    told = models.JSONField()

    class Meta:
        ordering = ["training", "step"]
        constraints = [
            models.UniqueConstraint(fields=["training", "step"], name="training_metric_once_per_step"),
        ]

    def __str__(self) -> str:
        return f"{self.training} step {self.step}"
