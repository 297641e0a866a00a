"""``python manage.py push_to_hub STUDY REPOSITORY``: a snapshot, or a folder made from it, to the Hub."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions import hub
from annotation.errors import DomainError
from annotation.management.studies import study_named


class Command(BaseCommand):
    help = "Pushes a snapshot's files, or a dataset's folder, to a dataset repository, private by default."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", metavar="STUDY", help="The study's short name.")
        parser.add_argument("repository", metavar="OWNER/NAME")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--snapshot", type=int, metavar="NUMBER")
        what.add_argument("--folder", type=Path, help="A dataset's folder, with its README.md.")
        parser.add_argument("--public", action="store_true", help="Everybody may read the data.")

    def handle(self, *args: object, **options: object) -> None:
        study, repository, public = study_named(options["study"]), options["repository"], options["public"]
        try:
            if options["folder"]:
                revision = hub.push(study, options["folder"], repository, public=public)
            else:
                snapshot = study.snapshots.filter(number=options["snapshot"]).first()
                if snapshot is None:
                    raise CommandError(f"“{study.slug}” has no snapshot {options['snapshot']}.")
                revision = hub.push_snapshot(snapshot, repository, public=public)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{repository} is at revision {revision} now.")
