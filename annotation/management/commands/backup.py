"""``python manage.py backup FOLDER``: database and files as one folder, while everything runs."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.backups.making import make_backup
from annotation.errors import DomainError


class Command(BaseCommand):
    help = "Writes the database and all files that cannot be made again into a new folder."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", metavar="FOLDER", type=Path, help="a new or empty folder")

    def handle(self, *args: object, folder: Path, **options: object) -> None:
        try:
            contents = make_backup(folder)
        except DomainError as error:
            raise CommandError(str(error)) from error
        rows, files = sum(contents.tables.values()), len(contents.files)
        self.stdout.write(
            f"{rows:,} rows of {len(contents.tables)} tables and {files:,} file{'' if files == 1 else 's'}, "
            f"{contents.bytes:,} bytes, in {folder}. It holds tokens and passwords' hashes: keep it secret."
        )
