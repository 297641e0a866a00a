"""A study's data are frozen into files that never change."""

import os
import secrets
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from annotation.actions import events
from annotation.errors import DomainError, NothingToFreeze, SnapshotRefused
from annotation.export.card import Found, data_card
from annotation.export.formats import described
from annotation.export.manifest import manifest_of, manifest_text, versions
from annotation.export.tables import Tell, Written, quietly, write_tables
from annotation.models import Judgment, Snapshot, Study, User
from annotation.reports.key_figures import key_figures

Keep = Callable[[Snapshot], None]

LONGEST_PATH = 500  # what the column holds
SECRET_BYTES = 32


def nothing_more(snapshot: Snapshot) -> None:
    """For whoever has nothing to say when a snapshot is kept."""


def freeze_snapshot(
    study: Study,
    actor: User | None = None,
    out: Path | None = None,
    min_judgments: int = 1,
    *,
    tell: Tell = quietly,
    on_keep: Keep = nothing_more,
) -> Snapshot:
    """The study's next snapshot, in the new or empty folder `out`, or in one of its own.

    Raises NothingToFreeze without a judgment that counts, and SnapshotRefused when the folder is in use or
    cannot be written; then nothing is left behind. The files are written beside the folder and put in its
    place whole; the row and the event follow them. `tell` is told of rows, `on_keep` inside the transaction
    that keeps the snapshot; whatever either raises ends the freezing.
    """
    if min_judgments < 1:
        raise DomainError("A preference needs at least one judgment.")
    if not Judgment.objects.that_count().filter(study=study).exists():
        raise NothingToFreeze(f"“{study.title}” has no judgment yet, so there is nothing to freeze.")
    home = (settings.SNAPSHOTS / study.slug) if out is None else Path(out).absolute().parent
    target = None if out is None else Path(out).absolute()
    secret = secrets.token_hex(SECRET_BYTES)
    with _refusals_in_words(target or home), _draft_folder(home, target) as draft:
        # Asking for versions may take a moment, so it is done before anything is locked.
        made_with = versions()
        written = _write(study, draft, min_judgments, secret, made_with, tell)
        return _publish(study, actor, draft, target, written, min_judgments, made_with, secret, on_keep)


def export_snapshot(snapshot: Snapshot, out: Path) -> None:
    """The snapshot's files once more, the same to the byte, in the new or empty folder `out`.

    They are made from the database, so this does what a copy of the folder does where that is lost. Raises
    SnapshotRefused when the folder cannot be used, and when the files would not be the same, because the
    study has gone on or other libraries write them; then nothing is left behind.
    """
    if not snapshot.secret:
        raise SnapshotRefused(
            f"Snapshot {snapshot.number} was frozen before snapshots could be made again. Copy its folder, "
            f"“{snapshot.folder}”."
        )
    target = Path(out).absolute()
    with _refusals_in_words(target), _draft_folder(target.parent, target) as draft:
        rule = snapshot.manifest["preference_rule"]
        written = _write(snapshot.study, draft, rule["min_judgments"], snapshot.secret, versions())
        _refuse_differences(snapshot, written)
        (draft / "manifest.json").write_text(manifest_text(snapshot.manifest), encoding="utf-8")
        os.rename(draft, target)


def _refuse_differences(snapshot: Snapshot, written: Written) -> None:
    frozen = snapshot.manifest["files"]
    differing = sorted(name for name in frozen if frozen[name] != written.files.get(name))
    if not differing:
        return
    reason = _why_different(snapshot.manifest["versions"], versions())
    raise SnapshotRefused(
        f"{', '.join(differing)} would not be as they were frozen: {reason}. Nothing was written. Use the "
        f"folder “{snapshot.folder}”, or freeze a new snapshot."
    )


def _why_different(then: dict, now: dict) -> str:
    """What can be told from the versions that wrote the files and those that did it again."""
    others = [name for name in now if then.get(name) != now[name]]
    if others == ["code_revision"]:
        return "another revision of Evenhand writes them, or the study has gone on"
    libraries = [name for name in others if name != "code_revision"]
    return f"other versions of {', '.join(libraries)} write them" if libraries else "the study has gone on"


def _write(
    study: Study, draft: Path, min_judgments: int, secret: str, made_with: dict, tell: Tell = quietly
) -> Written:
    """Everything but the manifest that tells the snapshot's number."""
    written = write_tables(study, draft, min_judgments, secret, tell)
    card = draft / "README.md"
    tell(card.name, 0)
    card.write_text(
        data_card(study, written.counts, _found(study, draft, written, made_with)), encoding="utf-8"
    )
    written.files[card.name] = described(card)
    return written


def _found(study: Study, draft: Path, written: Written, made_with: dict) -> Found | None:
    """What the files say that were just written: read as anybody reads a snapshot, which needs a manifest."""
    manifest = manifest_of(study, 0, timezone.now(), written, 1, made_with)
    (draft / "manifest.json").write_text(manifest_text(manifest), encoding="utf-8")
    figures = key_figures(draft, written.counts["judgments_counted"])
    return figures and Found(figures.agreement, figures.win_rates, figures.tie_rule, figures.languages)


def _refuse_target(target: Path) -> None:
    if len(str(target)) > LONGEST_PATH:
        raise SnapshotRefused(f"The folder's path is longer than {LONGEST_PATH} characters.")
    if target.exists() and not target.is_dir():
        raise SnapshotRefused(f"“{target}” is a file. Name a new or empty folder.")
    if target.is_dir() and any(target.iterdir()):
        raise SnapshotRefused(f"“{target}” is not empty. Name a new or empty folder.")


@contextmanager
def _refusals_in_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SnapshotRefused(
            f"The snapshot could not be written to “{folder}”: {error.strerror or error}. "
            "Nothing of it was kept."
        ) from error


@contextmanager
def _draft_folder(home: Path, target: Path | None) -> Iterator[Path]:
    """A hidden folder beside the target, on the same disk so that a rename moves it; gone at the end."""
    if target:
        _refuse_target(target)
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f".draft-{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _publish(
    study: Study,
    actor: User | None,
    draft: Path,
    target: Path | None,
    written: Written,
    min_judgments: int,
    made_with: dict,
    secret: str,
    on_keep: Keep,
) -> Snapshot:
    """Number the snapshot, name its folder, record it: in one short transaction, or not at all."""
    folder = None
    try:
        with transaction.atomic():
            # The lock makes two freezes take turns for a number.
            Study.objects.select_for_update(no_key=True).get(pk=study.pk)
            number = _next_number(study, target)
            folder = target or settings.SNAPSHOTS / study.slug / str(number)
            now = timezone.now()
            manifest = manifest_of(study, number, now, written, min_judgments, made_with)
            (draft / "manifest.json").write_text(manifest_text(manifest), encoding="utf-8")
            snapshot = Snapshot.objects.create(
                study=study,
                number=number,
                folder=str(folder),
                manifest=manifest,
                secret=secret,
                created_by=actor,
            )
            events.record(study, "freeze_snapshot", actor, number=number)
            on_keep(snapshot)
            os.rename(draft, folder)
    except BaseException:
        _take_back(folder, draft)
        raise
    return snapshot


def _take_back(folder: Path | None, draft: Path) -> None:
    """Remove the files of a snapshot whose transaction failed after they had been put in place."""
    if folder is not None and not draft.exists():
        shutil.rmtree(folder, ignore_errors=True)


def _next_number(study: Study, target: Path | None) -> int:
    number = (study.snapshots.aggregate(last=Max("number"))["last"] or 0) + 1
    # A folder may be left from a database that is gone; it is somebody's data, so step over it.
    while target is None and (settings.SNAPSHOTS / study.slug / str(number)).exists():
        number += 1
    return number
