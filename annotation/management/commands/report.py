"""``python manage.py report STUDY [--snapshot N] --out FILE.html|FILE.pdf``: a study's report in one file."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.printing import write_report
from annotation.errors import DomainError
from annotation.management.studies import snapshot_numbered, study_named
from annotation.models import Snapshot, Study


class Command(BaseCommand):
    help = "Writes the report of a frozen snapshot: results, methods, limits and guideline in one file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", metavar="STUDY", help="The study's short name.")
        parser.add_argument("--snapshot", metavar="N", type=int, help="Its number (default: the newest).")
        parser.add_argument(
            "--out",
            metavar="FILE",
            type=Path,
            required=True,
            help="Ends in .html or .pdf; is replaced if there.",
        )

    def handle(self, *args: object, **options: object) -> None:
        study = study_named(options["study"])
        snapshot = _snapshot(study, options["snapshot"])
        try:
            write_report(snapshot, options["out"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Report of snapshot {snapshot.number} of “{study.slug}” in {options['out']}")


def _snapshot(study: Study, number: int | None) -> Snapshot:
    if number is not None:
        return snapshot_numbered(study, number)
    newest = study.snapshots.select_related("study").first()
    if newest is None:
        raise CommandError(
            f"“{study.slug}” has no snapshot, and a report is made from one. Freeze it first: "
            f"python manage.py freeze_snapshot {study.slug}"
        )
    return newest
