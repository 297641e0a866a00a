"""``python manage.py freeze_snapshot STUDY --out DIR``: preference data and raw judgments, frozen."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.snapshots import freeze_snapshot
from annotation.errors import DomainError
from annotation.management.studies import study_named


class Command(BaseCommand):
    help = "Writes a study's preferences, judgments and responses to a folder, with a manifest."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", metavar="STUDY", help="The study's short name.")
        parser.add_argument("--out", metavar="DIR", type=Path, help="A new or empty folder.")
        parser.add_argument(
            "--min-judgments",
            metavar="N",
            type=int,
            default=1,
            help="Leave pairs with fewer judgments out of the preferences (default 1).",
        )

    def handle(self, *args: object, **options: object) -> None:
        study = study_named(options["study"])
        try:
            snapshot = freeze_snapshot(study, out=options["out"], min_judgments=options["min_judgments"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        counts = snapshot.manifest["counts"]
        self.stdout.write(
            f"Snapshot {snapshot.number} of “{study.slug}”: {counts['preferences']:,} preferences from "
            f"{counts['judgments_counted']:,} judgments, in {snapshot.folder}"
        )
