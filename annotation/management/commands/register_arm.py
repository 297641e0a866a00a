"""`python manage.py register_arm --study S --checkpoint DIR`: a tuned model becomes an arm of the study."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.arms import register_checkpoint
from annotation.errors import DomainError
from annotation.management.studies import study_named


class Command(BaseCommand):
    help = "Make the model that a training left in a folder an arm of a study."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--study", required=True, metavar="STUDY", help="the study's short name")
        parser.add_argument(
            "--checkpoint",
            required=True,
            metavar="DIR",
            type=Path,
            help="what models_runtime.training sft or rl was given as --out",
        )
        parser.add_argument("--name", default="", help="of the arm (default: stage and folder)")

    def handle(self, *args, study: str, checkpoint: Path, name: str, **options) -> None:
        found = study_named(study)
        try:
            arm = register_checkpoint(found, checkpoint, name)
        except DomainError as error:
            raise CommandError(str(error)) from error
        how = f"{arm.model} with the adapter {arm.adapter}" if arm.adapter else arm.model
        self.stdout.write(
            f"“{arm.name}” is an arm of “{found.slug}”: {how}.\n"
            f"Have it answer the study's prompts: python manage.py runs {found.slug} start"
        )
