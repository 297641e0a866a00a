"""What commands about a study share."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation import tasks
from annotation.models import Grading, Run, Snapshot, Study, User

HOW_TO_START_ONE = "`make run` starts all of them; one alone: celery -A annotation worker -Q gpu,default"
"""A worker; for commands that wait for what workers do."""


def study_named(slug: str) -> Study:
    """The study of that name. Raises CommandError, which names those there are."""
    study = Study.objects.filter(slug=slug).first()
    if study is None:
        there = ", ".join(Study.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(
            f"There is no study “{slug}”. {f'There are: {there}.' if there else 'There is none.'}"
        )
    return study


def an_owner_of(study: Study) -> User | None:
    """Somebody in whose name a command acts on the study."""
    return User.objects.filter(memberships__study=study).order_by("memberships__pk").first()


def snapshot_numbered(study: Study, number: int) -> Snapshot:
    """The study's snapshot of that number. Raises CommandError, which names those there are."""
    snapshots = study.snapshots.select_related("study")
    found = snapshots.filter(number=number).first()
    if found is None:
        numbers = ", ".join(str(one.number) for one in snapshots) or "none"
        raise CommandError(f"“{study.slug}” has no snapshot {number}. Its snapshots: {numbers}.")
    return found


def hint(command: BaseCommand, send: Callable[[Any], None], found: Run | Grading) -> None:
    """Tell the workers; the rows are the queue, so a broker that is down only delays the start."""
    if not tasks.sent(send, found):
        what = found._meta.verbose_name
        command.stderr.write(f"The queue does not answer; the {what} starts by itself when it is back.")
