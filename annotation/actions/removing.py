"""Studies leave the lists, come back, or are deleted."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotation.actions import events
from annotation.actions.imports.jobs import remove_file
from annotation.errors import StudyRefused
from annotation.models import (
    Appeal,
    Arrival,
    Assignment,
    Batch,
    BatchItem,
    Consent,
    Gold,
    Grading,
    Mark,
    Membership,
    Pair,
    Pulse,
    QualityRules,
    Report,
    ReportTable,
    Study,
    User,
)
from annotation.vocabulary import StudyRole, StudyState

ARCHIVED_FROM = (StudyState.DRAFT, StudyState.PAUSED, StudyState.CLOSED)


@transaction.atomic
def archive_study(study: Study, actor: User | None = None) -> bool:
    """Take the study out of the lists and close it; everything stays. False when it was archived already."""
    rows = Study.objects.kept().filter(pk=study.pk, archived_at__isnull=True)
    done = rows.update(archived_at=timezone.now(), state=StudyState.CLOSED)
    if done:
        events.record(study, "archive_study", actor)
    return bool(done)


@transaction.atomic
def restore_study(study: Study, actor: User | None = None) -> bool:
    """Bring an archived study back, closed as it was; False when it was not archived."""
    done = Study.objects.kept().filter(pk=study.pk, archived_at__isnull=False).update(archived_at=None)
    if done:
        events.record(study, "restore_study", actor)
    return bool(done)


def why_not_deleted(study: Study) -> str:
    """Why the study can only be archived, in a sentence; "" where it can be deleted."""
    if study.judgments.exists():
        return "It has judgments, which are never deleted: archive it instead."
    if Assignment.objects.filter(pair__study=study).exists() or _consents(study).exists():
        return "Raters have begun in it, and what they did is kept: archive it instead."
    if Grading.objects.filter(study=study).exists():
        return "It has automatic grades, which are never deleted: archive it instead."
    if study.snapshots.exists() or study.trainings.exists():
        return "Snapshots or trainings were made from it: archive it instead."
    return ""


def _consents(study: Study) -> QuerySet[Consent]:
    return Consent.objects.filter(enrolment__study=study)


@transaction.atomic
def delete_study(study: Study, typed: str, actor: User | None = None) -> None:
    """Delete what the study holds: prompts, answers, pairs, arms, places and links.

    `typed` is its slug, as the person wrote it. The empty row and its events stay, because events are never
    deleted; nobody sees it again, and its slug is free. Raises StudyRefused.
    """
    row = Study.objects.select_for_update().get(pk=study.pk)
    if typed.strip() != row.slug:
        raise StudyRefused(f"Nothing was deleted: to confirm, type “{row.slug}”.")
    if row.is_open:
        raise StudyRefused("Raters are at work in an open study. Close it first.")
    if why := why_not_deleted(row):
        raise StudyRefused(f"Nothing was deleted. {why}")
    if row.runs.unfinished().exists():
        raise StudyRefused("A run of this study is not finished. Cancel it first.")
    files = list(row.file_imports.all())
    for rows in _rows_of(row):
        rows.delete()
    transaction.on_commit(lambda: [remove_file(job) for job in files])
    events.record(row, "delete_study", actor, slug=row.slug, title=row.title)
    members = Membership.objects.filter(study=row)
    members.exclude(role=StudyRole.OWNER).delete()  # an owner stays while there are others
    members.delete()
    left = {"slug": f"deleted-{row.pk}", "title": "Deleted study", "question": "", "resources": ""}
    left |= {"pair_count": 0, "gold_count": 0, "archived_at": None}
    Study.objects.filter(pk=row.pk).update(**left, state=StudyState.CLOSED, deleted_at=timezone.now())


def _rows_of(study: Study) -> list[QuerySet]:
    """What the study holds, in the order in which it can be deleted."""
    pairs = Pair.objects.filter(study=study)
    return [
        ReportTable.objects.filter(report__study=study),
        Report.objects.filter(study=study),
        Pulse.objects.filter(study=study),
        study.member_invitations.all(),
        study.webhooks.all(),
        study.file_imports.all(),
        Mark.objects.filter(response__study=study),
        Mark.objects.filter(pair__study=study),
        Gold.objects.filter(study=study),
        QualityRules.objects.filter(study=study),
        pairs,
        study.responses.all(),
        BatchItem.objects.filter(batch__run__study=study),
        Batch.objects.filter(run__study=study),
        study.runs.all(),
        study.arms.all(),
        study.prompts.all(),
        Arrival.objects.filter(study=study),
        study.links.all(),
        Appeal.objects.filter(enrolment__study=study),
        study.enrolments.all(),
        study.guidelines.all(),
    ]
