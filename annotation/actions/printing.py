"""The one-file report of a snapshot is made once, kept as files, and handed out from then on."""

import os
import uuid
from pathlib import Path

from django.conf import settings

from annotation.actions import events
from annotation.errors import DomainError, PdfUnavailable, ReportRefused
from annotation.models import Snapshot, User
from annotation.printing.pdf import pdf_of
from annotation.printing.report import report_html
from annotation.reports.from_snapshot import manifest_digest
from annotation.version import evenhand_version

KINDS = ("html", "pdf")


def report_file(snapshot: Snapshot, kind: str) -> Path:
    """Where the snapshot's report of that kind stands, or will stand: by what it is made from and by what.

    Raises SnapshotUnreadable.
    """
    made_by = f"{manifest_digest(Path(snapshot.folder))[:16]}-{evenhand_version()}"
    return settings.REPORTS / snapshot.study.slug / str(snapshot.number) / made_by / f"report.{kind}"


def made_reports(snapshot: Snapshot) -> tuple[str, ...]:
    """The kinds that can be handed out now; none where the snapshot's files are gone."""
    try:
        return tuple(kind for kind in KINDS if report_file(snapshot, kind).is_file())
    except DomainError:
        return ()


def make_report(snapshot: Snapshot, actor: User | None = None) -> tuple[Path, ...]:
    """Both files; where no PDF can be made here, the HTML alone. Raises SnapshotUnreadable, ReportRefused.

    They come into their place whole, so that nobody is handed half of one.
    """
    html = report_html(Path(snapshot.folder))
    files, lacking = {"html": html.encode()}, ""
    try:
        files["pdf"] = pdf_of(html)
    except PdfUnavailable as error:
        lacking = str(error)
    paths = tuple(_put(report_file(snapshot, kind), content) for kind, content in files.items())
    events.record(
        snapshot.study, "report_made", actor, number=snapshot.number, kinds=sorted(files), lacking=lacking
    )
    return paths


def write_report(snapshot: Snapshot, out: Path) -> None:
    """The report in one file, by its name HTML or PDF.

    Raises SnapshotUnreadable, PdfUnavailable and ReportRefused.
    """
    kind = out.suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise ReportRefused(f"“{out.name}” is neither .html nor .pdf. Name the report by one of these.")
    html = report_html(Path(snapshot.folder))
    _put(out, html.encode() if kind == "html" else pdf_of(html))


def note_asked(snapshot: Snapshot, actor: User) -> None:
    """Record that a worker is about to be asked for the report, so that its silence is seen."""
    events.record(snapshot.study, "report_asked", actor, number=snapshot.number)


def note_failure(snapshot: Snapshot, actor: User, reason: str) -> None:
    """Record why a report that a worker was asked for is not there."""
    events.record(snapshot.study, "report_failed", actor, number=snapshot.number, reason=reason)


def _put(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".report-{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(content)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise ReportRefused(f"“{path}” cannot be written: {reason}. Nothing was kept.") from error
    return path
