"""Datasets are asked for, made by a worker from a frozen snapshot, and kept as files."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from annotation.actions import events, leases
from annotation.datasets.making import Preview, make_dataset, preview
from annotation.datasets.recipe import Recipe
from annotation.errors import DatasetRefused, DomainError
from annotation.models import Dataset, Snapshot, User
from annotation.models.dataset import UNFINISHED, UNFINISHED_OR_MADE
from annotation.vocabulary import BatchState

SECONDS_BETWEEN_NOTES = 0.5
MOST_TO_PREVIEW = 100_000
ASKED_AT_MOST = 3  # times in a row, while others stop what stands in the way
STARTED_AGAIN = {
    **{"state": BatchState.QUEUED, "attempts": 0, "error": "", "step": "", "done": 0, "total": 0},
    **{"manifest": None, "folder": "", "finished_at": None},
}


class _Stopped(Exception):
    """Somebody stopped the making, or another worker has it now."""


def ask(snapshot: Snapshot, recipe: Recipe, actor: User | None = None) -> tuple[Dataset, bool]:
    """The snapshot's dataset by this recipe, and whether it is new: the same is never made twice.

    Raises DatasetRefused where the same is stopped again and again meanwhile.
    """
    for _ in range(ASKED_AT_MOST):
        try:
            return _new(snapshot, recipe, actor), True
        except IntegrityError:  # dataset_once_per_recipe
            if same := _same(snapshot, recipe):
                return same, False
    raise DatasetRefused("The same dataset was asked for and stopped at this moment. Ask once more.")


@transaction.atomic
def _new(snapshot: Snapshot, recipe: Recipe, actor: User | None) -> Dataset:
    # The lock makes two who ask take turns for a number.
    Snapshot.objects.select_for_update(no_key=True).get(pk=snapshot.pk)
    last = snapshot.datasets.aggregate(last=Max("number"))["last"] or 0
    asked = Dataset.objects.create(
        snapshot=snapshot,
        number=last + 1,
        recipe=recipe.as_dict(),
        recipe_sha256=recipe.digest,
        asked_by=actor,
    )
    _record(asked, "dataset_asked", actor, format=recipe.format)
    return asked


def _same(snapshot: Snapshot, recipe: Recipe) -> Dataset | None:
    """The one that stands in the way of another; None once it was stopped, or failed."""
    standing = snapshot.datasets.filter(state__in=UNFINISHED_OR_MADE)
    return standing.filter(recipe_sha256=recipe.digest).first()


def preview_of(snapshot: Snapshot, recipe: Recipe) -> Preview:
    """What the recipe would make. Raises SnapshotUnreadable, and DatasetRefused for a snapshot so large that
    nobody would wait for the answer."""
    counts = snapshot.manifest.get("counts", {})
    if counts.get("judgments", 0) > MOST_TO_PREVIEW:
        raise DatasetRefused(
            f"A preview reads the whole snapshot, and this one has more than {MOST_TO_PREVIEW:,} judgments. "
            "Have the dataset made: it can be stopped, and its counts are told when it is there."
        )
    return preview(Path(snapshot.folder), recipe)


def stop(dataset: Dataset, actor: User | None = None) -> None:
    """Stop a making that waits or goes on; its worker notices within moments and keeps nothing."""
    unfinished = Dataset.objects.filter(pk=dataset.pk, state__in=UNFINISHED)
    with transaction.atomic():
        if not unfinished.update(state=BatchState.CANCELLED, claim=None, lease_until=None):
            raise DatasetRefused("This dataset is not being made, so there is nothing to stop.")
        _record(dataset, "dataset_stopped", actor)


def start_again(dataset: Dataset, actor: User | None = None) -> None:
    """Queue a making that failed or was stopped, or whose files are gone; it starts anew."""
    over = (BatchState.FAILED, BatchState.CANCELLED)
    if dataset.state == BatchState.DONE and not Path(dataset.folder).is_dir():
        over = (*over, BatchState.DONE)
    try:
        with transaction.atomic():
            if not Dataset.objects.filter(pk=dataset.pk, state__in=over).update(**STARTED_AGAIN):
                raise DatasetRefused("This dataset is made or being made, so it cannot be started again.")
            _record(dataset, "dataset_asked", actor, again=True)
    except IntegrityError as error:  # dataset_once_per_recipe
        raise DatasetRefused("The same dataset was asked for again meanwhile.") from error


CONTROLS = {"stop": stop, "again": start_again}


def claim(dataset_id: int, worker: str) -> Dataset | None:
    """Give the dataset to `worker`; None when another has it, or nothing is left to do."""
    pk = leases.claim_first(Dataset.objects.waiting().filter(pk=dataset_id), worker)
    if pk is None:
        return None
    return Dataset.objects.select_related("snapshot__study").get(pk=pk)


def make(dataset: Dataset) -> bool:
    """Make the files of a claimed dataset and keep them; False when it was stopped or the claim was lost.

    What cannot be made is told in the dataset's `error`. Nothing half is left in any case.
    """
    try:
        return _make(dataset)
    except _Stopped:
        return False
    except DomainError as error:
        return leases.fail(dataset, str(error))
    except OSError as error:
        reason = error.strerror or error
        return leases.fail(dataset, f"The files could not be written: {reason}. Nothing of them was kept.")
    except Exception:
        leases.fail(dataset, "Something unexpected went wrong; the worker's log says what.")
        raise


def _make(dataset: Dataset) -> bool:
    recipe = Recipe.from_dict(dataset.recipe)
    home = settings.DATASETS / dataset.snapshot.study.slug / str(dataset.snapshot.number)
    prefix = f".draft-{dataset.number}-"
    for left in home.glob(f"{prefix}*"):  # by a killed worker
        shutil.rmtree(left, ignore_errors=True)
    with _draft_folder(home, prefix) as draft:
        manifest = make_dataset(Path(dataset.snapshot.folder), recipe, draft, _Notes(dataset))
        return _keep(dataset, draft, home / str(dataset.number), manifest)


@contextmanager
def _draft_folder(home: Path, prefix: str) -> Iterator[Path]:
    """A hidden folder on the same disk as where the files will stand; gone at the end."""
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f"{prefix}{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class _Notes:
    """Notes in the row how far a worker is; raises _Stopped when the claim is no longer its own."""

    def __init__(self, dataset: Dataset):
        self._dataset = dataset
        self._next = 0.0
        self._step = ""

    def __call__(self, step: str, done: int, total: int) -> None:
        if step == self._step and time.monotonic() < self._next:
            return
        if not _swap(self._dataset, step=step, done=done, total=total):
            raise _Stopped
        self._step, self._next = step, time.monotonic() + SECONDS_BETWEEN_NOTES


def _keep(dataset: Dataset, draft: Path, folder: Path, manifest: dict) -> bool:
    """Put the files in their place and say so: both, or neither."""
    try:
        with transaction.atomic():
            if not _swap(dataset, folder=str(folder), manifest=manifest) or not leases.finish(dataset):
                raise _Stopped
            _record(dataset, "dataset_made", dataset.asked_by, rows=manifest["counts"]["rows"])
            # The row is ours until the transaction ends, so what stands there was left by a crash.
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(draft, folder)
    except BaseException:
        if not draft.exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return True


def _swap(dataset: Dataset, **changes) -> bool:
    """Change the row while its claim is still ours."""
    held = Dataset.objects.filter(pk=dataset.pk, state=BatchState.CLAIMED, claim=dataset.claim)
    return bool(held.update(**changes))


def requeue_stale(at: datetime | None = None) -> int:
    """Queue again what dead workers held; says how many."""
    return leases.requeue(Dataset.objects.stale(at or timezone.now()), leases.fail)


def write_dataset(snapshot: Snapshot, recipe: Recipe, out: Path) -> dict:
    """The dataset's files in a new or empty folder, without a row, for the command line; the manifest.

    Raises DatasetRefused and SnapshotUnreadable; then nothing is left behind.
    """
    target = out.absolute()
    if target.exists() and not target.is_dir():
        raise DatasetRefused(f"“{out}” is a file. Name a new or empty folder.")
    if target.is_dir() and any(target.iterdir()):
        raise DatasetRefused(f"“{out}” is not empty. Name a new or empty folder.")
    try:
        with _draft_folder(target.parent, ".draft-") as draft:
            manifest = make_dataset(Path(snapshot.folder), recipe, draft)
            os.rename(draft, target)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise DatasetRefused(f"“{out}” cannot be written: {reason}. Nothing was kept.") from error
    return manifest


def _record(dataset: Dataset, verb: str, actor: User | None, **detail) -> None:
    snapshot = dataset.snapshot
    events.record(snapshot.study, verb, actor, snapshot=snapshot.number, number=dataset.number, **detail)
