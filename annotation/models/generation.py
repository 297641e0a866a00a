"""Runs, their batches, and the responses they bring.

The rows are the queue: a batch is waiting because its row says `queued`; a Celery message only hints
that somebody should look. Whatever happens to messages and workers, the rows tell what is left to do.
"""

from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from annotation.models.arm import Arm
from annotation.models.claimed import ClaimedBatch, ClaimedQuerySet
from annotation.models.numbered import Numbered, NumberedQuerySet
from annotation.models.prompt import Prompt
from annotation.models.study import Study
from annotation.vocabulary import UNFINISHED_RUN, FinishReason, RunState


class RunQuerySet(NumberedQuerySet):
    def unfinished(self) -> "RunQuerySet":
        return self.filter(state__in=UNFINISHED_RUN)


class Run(Numbered):
    """One generation of arms × prompts × samples."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="runs")
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.RUNNING)
    samples = models.PositiveSmallIntegerField(default=1)
    seed = models.BigIntegerField()
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="run_state_is_known"),
            models.CheckConstraint(condition=Q(samples__gte=1), name="run_samples_at_least_one"),
            models.UniqueConstraint(
                fields=["study"],
                condition=Q(state__in=UNFINISHED_RUN),
                name="run_unfinished_once_per_study",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study.slug} run {self.number}"


class BatchQuerySet(ClaimedQuerySet):
    def waiting(self) -> Self:
        """Batches that a worker may claim."""
        return super().waiting().filter(run__state=RunState.RUNNING)


class Batch(ClaimedBatch):
    """Requests of one arm and one sampling, generated together by one worker."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="batches")
    arm = models.ForeignKey(Arm, on_delete=models.PROTECT, related_name="batches")

    objects = BatchQuerySet.as_manager()

    class Meta(ClaimedBatch.Meta):
        ordering = ["run", "number"]
        verbose_name_plural = "batches"
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="batch_number_once_per_run"),
            *ClaimedBatch.Meta.constraints,
        ]

    def __str__(self) -> str:
        return f"{self.run} batch {self.number}"


class BatchItemQuerySet(models.QuerySet):
    def unanswered(self) -> "BatchItemQuerySet":
        """Those that failed and whose place no response has taken since."""
        place = {"prompt": OuterRef("prompt"), "arm": OuterRef("batch__arm"), "sample": OuterRef("sample")}
        return self.exclude(failure="").exclude(Exists(Response.objects.current().filter(**place)))


class BatchItem(models.Model):
    """One request of a batch. It has a response, or a `failure`, or is still to be generated."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="items")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="items")
    sample = models.PositiveSmallIntegerField()
    failure = models.TextField(blank=True)

    objects = BatchItemQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "prompt", "sample"], name="batch_item_once"),
        ]

    def __str__(self) -> str:
        return f"{self.prompt} sample {self.sample}"


class ResponseQuerySet(models.QuerySet):
    def current(self) -> "ResponseQuerySet":
        """Those that no later response took the place of."""
        return self.filter(replaced_at__isnull=True)


class Response(models.Model):
    """An answer that a rater may see: generated (`batch` tells where) or imported (`batch` is null).

    From `replaced_at` on it has given up its place to an answer that is generated anew; it is only kept.
    `reasoning` is what the model wrote to itself before it answered; no rater and no judge is shown it.
    `scanner` is the version of `annotation.scan` that looked at it last, "" if none did.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="responses")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="responses")
    arm = models.ForeignKey(Arm, on_delete=models.PROTECT, related_name="responses")
    sample = models.PositiveSmallIntegerField(default=0)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="responses", null=True)
    text = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)
    finish_reason = models.CharField(max_length=10, choices=FinishReason.choices)
    prompt_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    seconds = models.FloatField(null=True)
    seed = models.BigIntegerField(null=True)
    provenance = models.JSONField(default=dict)
    replaced_at = models.DateTimeField(null=True, editable=False)
    scanner = models.CharField(max_length=20, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ResponseQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "arm", "sample"],
                condition=Q(replaced_at__isnull=True),
                name="response_once_per_sample",
            ),
            models.CheckConstraint(
                condition=Q(finish_reason=FinishReason.IMPORTED, batch__isnull=True)
                | (~Q(finish_reason=FinishReason.IMPORTED) & Q(batch__isnull=False)),
                name="response_generated_or_imported",
            ),
        ]
        indexes = [models.Index(fields=["study", "arm"], name="response_by_study_and_arm")]

    def __str__(self) -> str:
        return f"{self.prompt} · {self.arm} · {self.sample}"


class WorkerHeartbeat(models.Model):
    """When a worker process last said that it takes work from a queue."""

    name = models.CharField(max_length=200)
    queue = models.CharField(max_length=50)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = [F("seen_at").desc()]
        constraints = [
            models.UniqueConstraint(fields=["name", "queue"], name="worker_heartbeat_once_per_queue"),
        ]

    def __str__(self) -> str:
        return self.name
