"""``python manage.py import_judgments STUDY FILE``: judgments that people made elsewhere."""

from django.core.management.base import BaseCommand, CommandParser

from annotation.actions.imports import import_judgments
from annotation.actions.imports.judgments import FIELDS
from annotation.management.importing import Importing, add_file_arguments, mapping_from
from annotation.management.studies import study_named


class Command(BaseCommand):
    help = "Imports judgments of responses or pairs that the study has; all of the file or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        add_file_arguments(parser, FIELDS)
        parser.add_argument(
            "--hide-raters", action="store_true", help="Replace each rater's id by a pseudonym."
        )

    def handle(self, *args: object, **options: object) -> None:
        importing = Importing(self, options["file"])
        study = study_named(options["study"])
        with importing.refusals_in_words():
            result = import_judgments(
                study,
                options["file"],
                mapping_from(options, FIELDS),
                hide_raters=options["hide_raters"],
                skip_bad=options["skip_bad"],
                on_skip=importing.skip,
                on_progress=importing.progress,
            )
        importing.done(result, "judgments")
