"""``python manage.py pull_from_hub REPOSITORY FOLDER``: a dataset's files from the Hub, to be imported."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions import hub
from annotation.errors import DomainError
from annotation.text import spelt_out


class Command(BaseCommand):
    help = "Fetches the data files of a dataset repository; import_preferences takes them from there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("repository", metavar="OWNER/NAME")
        parser.add_argument("folder", metavar="FOLDER", type=Path)
        parser.add_argument("--revision", default="main", help="A branch, a tag or a commit.")

    def handle(self, *args: object, **options: object) -> None:
        try:
            pulled = hub.pull(options["repository"], options["folder"], options["revision"])
        except DomainError as error:
            raise CommandError(spelt_out(str(error))) from error
        for path in pulled.files:
            self.stdout.write(spelt_out(str(path)))
        self.stdout.write(f"{len(pulled.files)} files at revision {pulled.revision}.")
