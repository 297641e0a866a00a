"""``python manage.py restore FOLDER [--replace]``: the installation as a backup has it."""

from pathlib import Path

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.backups.restoring import Restored, restore_backup, settle_paths
from annotation.errors import DomainError
from annotation.models import Study
from annotation.reports.audit import audit_study, heads_of
from annotation.text import spelt_out


class Command(BaseCommand):
    help = "Puts database and files back as a backup has them, and checks them. Stop everything else before."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", metavar="FOLDER", type=Path, help="what `backup` wrote")
        parser.add_argument(
            "--replace", action="store_true", help="take the place of what is there; files are put aside"
        )

    def handle(self, *args: object, folder: Path, replace: bool, **options: object) -> None:
        try:
            restored = restore_backup(folder, replace)
        except DomainError as error:
            raise CommandError(str(error)) from error
        call_command("migrate", interactive=False, verbosity=0)
        self.tell(restored)
        self.check_record(restored)

    def tell(self, restored: Restored) -> None:
        contents = restored.contents
        rows = sum(contents.tables.values())
        self.stdout.write(
            f"Restored what was kept at {contents.made_at}: {rows:,} rows of {len(contents.tables)} tables "
            f"and {len(contents.files):,} files, all as the backup tells."
        )
        if restored.aside:
            self.stdout.write(f"What was there before lies in {restored.aside}.")
        for arm in settle_paths(contents):
            self.stdout.write(spelt_out(f"An arm's model lay in the old folder; link it from there: {arm}"))

    def check_record(self, restored: Restored) -> None:
        heads = heads_of(restored.contents.audit)
        for study in Study.objects.order_by("slug"):
            verdict = audit_study(study, heads.get(study.slug))
            if not verdict.holds:
                raise CommandError(spelt_out(f"The record of {study.slug} does not hold: {verdict.broken}"))
        self.stdout.write("The record of every study is as it was sealed.")
