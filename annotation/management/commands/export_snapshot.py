"""``python manage.py export_snapshot STUDY NUMBER --out DIR``: a snapshot's files, again."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.snapshots import export_snapshot
from annotation.errors import DomainError
from annotation.management.studies import snapshot_numbered, study_named


class Command(BaseCommand):
    help = "Writes the files of a frozen snapshot again, or says why they would not be the same."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", metavar="STUDY", help="The study's short name.")
        parser.add_argument("number", metavar="NUMBER", type=int, help="The snapshot's number.")
        parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="A new or empty folder.")

    def handle(self, *args: object, **options: object) -> None:
        snapshot = snapshot_numbered(study_named(options["study"]), options["number"])
        try:
            export_snapshot(snapshot, options["out"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Snapshot {snapshot.number} of “{snapshot.study.slug}”, as it was frozen, in {options['out']}"
        )
