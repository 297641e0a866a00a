"""A file that comes in part by part, while raters work: received, looked at, started, stopped, gone on with.

Each part is a transaction of its own that also moves the mark of how far the file was read, so that whatever
happens in between, the next try begins where the last one ended. Bad rows are left out and listed.
"""

import shutil
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import file_digest, sha256
from pathlib import Path

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from annotation.actions import events, leases
from annotation.actions.imports.files import read_records
from annotation.actions.imports.formats import Recognised, recognise
from annotation.actions.imports.loading import Imported, load_in_parts
from annotation.actions.imports.mapping import Mapping
from annotation.actions.imports.pairs import loader_for, parse_mapping
from annotation.actions.pairing import make_pairs
from annotation.errors import DomainError, ImportRefused
from annotation.models import FileImport, ImportProblem, Study, User
from annotation.vocabulary import BatchState

MOST_PROBLEMS = 10_000
"""Rows left out that are listed; all are counted."""

STARTS_FROM = (BatchState.CANCELLED, BatchState.FAILED)
STOPS_FROM = (BatchState.QUEUED, BatchState.CLAIMED)
KEPT_FREE = 1_000_000_000
"""Bytes of the disk that an upload leaves free."""


def receive(
    study: Study, name: str, parts: Iterable[bytes], actor: User | None = None, format_name: str = ""
) -> FileImport:
    """Keep an uploaded file and say what it was recognised as; nothing of it is imported yet.

    With `format_name` it is read as that, whatever its columns are called.
    Raises ImportRefused for a file that is too large, or in no known format; then it is not kept.
    """
    folder = settings.IMPORTS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / uuid.uuid4().hex
    try:
        size, digest = _write(path, name, parts)
        found = recognise(path, format_name, called=name)
        return _note(study, name, path, size, digest, found, actor, is_uploaded=True)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def refer_to(study: Study, path: Path, found: Recognised, actor: User | None = None) -> FileImport:
    """A file that stays where it is, and is imported from there."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    size = path.stat().st_size
    return _note(study, path.name, path.resolve(), size, digest, found, actor, is_uploaded=False)


def _write(path: Path, name: str, parts: Iterable[bytes]) -> tuple[int, str]:
    size, digest = 0, sha256()
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            for part in parts:
                size += len(part)
                if size > settings.IMPORT_MOST_UPLOADED:
                    raise too_large(name)
                digest.update(part)
                file.write(part)
        if shutil.disk_usage(path).free < KEPT_FREE:
            raise ImportRefused([], f"The disk is nearly full, so “{name}” was not kept.")
    except OSError as error:
        raise ImportRefused([], f"“{name}” could not be kept: {error.strerror or error}.") from error
    return size, digest.hexdigest()


def too_large(name: str) -> ImportRefused:
    """What is said of a file beyond the limit."""
    most = f"{settings.IMPORT_MOST_UPLOADED / 1e6:,.0f} MB"
    return ImportRefused(
        [],
        f"“{name}” is larger than {most}, so it was not kept. Pack it by gzip, cut it into parts, or "
        "import it with the command import_preferences.",
    )


@transaction.atomic
def _note(
    study: Study,
    name: str,
    path: Path,
    size: int,
    digest: str,
    found: Recognised,
    actor: User | None,
    is_uploaded: bool,
) -> FileImport:
    job = FileImport.objects.create(
        study=study,
        number=1,
        state=BatchState.CANCELLED,
        name=name[:255],
        path=str(path),
        is_uploaded=is_uploaded,
        size=size,
        sha256=digest,
        format=found.name,
        asked_by=actor,
    )
    events.record(study, "receive_import", actor, file=job.name, sha256=digest, format=found.name)
    return job


def unfinished_of(study: Study, path: Path) -> FileImport | None:
    """The newest import of this very file that has begun and is not done."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    begun = study.file_imports.filter(sha256=digest, started_at__isnull=False)
    return begun.exclude(state=BatchState.DONE).first()


def recognised(job: FileImport) -> Recognised:
    """How the job's file is read. Raises ImportRefused where it is gone or changed its format."""
    return recognise(job.file, job.format, called=job.name)


def mapping_of(job: FileImport, found: Recognised) -> Mapping:
    """What was said about the file's columns. Raises DomainError where it fits the format no more."""
    return parse_mapping(found, job.columns, job.rules, job.constants)


def remap(
    job: FileImport,
    format_name: str,
    columns: list[str],
    rules: list[str],
    constants: list[str],
    hide_raters: bool,
) -> bool:
    """Read the file otherwise; False when it has begun to come in. Raises DomainError for what cannot be."""
    found = recognise(job.file, format_name, called=job.name)
    parse_mapping(found, columns, rules, constants)
    told = {"format": found.name, "columns": columns, "rules": rules, "constants": constants}
    waiting = FileImport.objects.filter(pk=job.pk, state__in=STARTS_FROM, rows_read=0)
    return bool(waiting.update(**told, hide_raters=hide_raters))


@transaction.atomic
def start(job: FileImport, actor: User | None = None) -> bool:
    """Have the file come in, or go on where it stopped; False when it is under way or done already."""
    waiting = FileImport.objects.filter(pk=job.pk, state__in=STARTS_FROM)
    last = job.study.judgments.aggregate(last=Max("pk"))["last"] or 0
    FileImport.objects.filter(pk=job.pk, last_judgment=None).update(last_judgment=last)
    started = waiting.update(
        state=BatchState.QUEUED, started_at=job.started_at or timezone.now(), attempts=0, error=""
    )
    if started:
        events.record(job.study, "start_import", actor, file=job.name, row=job.rows_read)
    return bool(started)


@transaction.atomic
def stop(job: FileImport, actor: User | None = None) -> bool:
    """Let the file wait; what came in stays. False when it was not under way."""
    stopped = FileImport.objects.filter(pk=job.pk, state__in=STOPS_FROM).update(
        state=BatchState.CANCELLED, claim=None, lease_until=None
    )
    if stopped:
        events.record(job.study, "stop_import", actor, file=job.name)
    return bool(stopped)


def stop_silent(job: FileImport, worker: str, actor: User | None = None) -> bool:
    """Stop an import that an earlier `worker` of this name has in hand, or one whose lease lapsed: a killed
    one cannot say so. Should it live after all, it keeps nothing more. False where neither is the case."""
    if job.state != BatchState.CLAIMED or not (job.worker == worker or job.lease_until < timezone.now()):
        return False
    return stop(job, actor)


@transaction.atomic
def discard(job: FileImport, actor: User | None = None) -> bool:
    """Forget a file of which nothing came in, or that is done with; what came in stays."""
    gone, _ = FileImport.objects.filter(pk=job.pk).exclude(state__in=STOPS_FROM).delete()
    if gone:
        events.record(job.study, "discard_import", actor, file=job.name)
        transaction.on_commit(lambda: remove_file(job))
    return bool(gone)


def remove_file(job: FileImport) -> None:
    """Remove an uploaded file; one that lies elsewhere is not ours."""
    if job.is_uploaded:
        job.file.unlink(missing_ok=True)


# Coming in ---------------------------------------------------------------------------------------------


class _Stopped(Exception):
    """Somebody stopped the import, or another worker has it now."""


def claim(job_id: int, worker: str) -> FileImport | None:
    """Give the job to `worker`; None when another has it, or it waits for a person."""
    pk = leases.claim_first(FileImport.objects.waiting().filter(pk=job_id), worker)
    return FileImport.objects.select_related("study", "asked_by").get(pk=pk) if pk else None


def run(job: FileImport) -> bool:
    """Bring in what is left of a claimed job's file; False when it was stopped or could not go on.

    Why it could not is told in the job's `error`; what came in before stays, and `start` goes on from there.
    """
    result = Imported(**{"rows": job.rows_read, **job.counts})
    try:
        found = recognised(job)
        _refuse_changed(job)
        given = mapping_of(job, found)
        loader = loader_for(job.study, found, given, job.hide_raters)
        loader.last_before = job.last_judgment or 0
        records = read_records(job.file, job.name)
        mapping = found.mapping(given)

        def keep_mark(told: Imported, bad: list[tuple[int, str]]) -> None:
            _keep_mark(job, told, bad)

        load_in_parts(loader, job.study, records, job.name, mapping, result, keep_mark)
        if found.name == "responses":
            result.new_pairs += make_pairs(job.study, job.asked_by)
        return _finish(job, loader, result)
    except _Stopped:
        return False
    except DomainError as error:
        return leases.fail(job, str(error)) and False
    except AnyDatabaseError as error:
        reason = str(error).strip().partition("\n")[0]
        leases.fail(
            job, f"The database gave up ({reason}). What came in before stays; go on when it is back."
        )
        return False
    except Exception:
        leases.fail(job, "Something unexpected went wrong; the worker's log says what.")
        raise


def _refuse_changed(job: FileImport) -> None:
    """A file that changed would go on at another row than it stopped."""
    with job.file.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != job.sha256:
            raise ImportRefused([], f"“{job.name}” was changed since the import began. Import it anew.")


def _keep_mark(job: FileImport, result: Imported, bad: list[tuple[int, str]]) -> None:
    held = FileImport.objects.filter(pk=job.pk, state=BatchState.CLAIMED, claim=job.claim)
    changes = {"rows_read": result.rows, "counts": _counts(result), "attempts": 1}
    if not leases.renew(job) or not held.update(**changes):
        raise _Stopped
    room = max(0, MOST_PROBLEMS - (result.bad - len(bad)))
    ImportProblem.objects.bulk_create(
        ImportProblem(file_import=job, line=line, reason=reason) for line, reason in bad[:room]
    )


def _counts(result: Imported) -> dict:
    counts = asdict(result)
    return {name: counts[name] for name in counts if name not in ("rows", "problems")}


@transaction.atomic
def _finish(job: FileImport, loader, result: Imported) -> bool:
    loader.finish()
    if not leases.finish(job):
        return False
    FileImport.objects.filter(pk=job.pk).update(counts=_counts(result))
    told = {"new": result.new, "skipped": result.bad, "judgments": result.new_judgments}
    events.record(job.study, loader.verb, job.asked_by, file=job.name, **told)
    transaction.on_commit(lambda: remove_file(job))
    return True


def requeue_stale() -> int:
    """Queue again what dead workers held; says how many."""
    return leases.requeue(FileImport.objects.stale(timezone.now()), leases.fail)
