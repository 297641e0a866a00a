"""``python manage.py import_preferences STUDY FILE``: preference data in any known format."""

from django.core.management.base import BaseCommand, CommandParser

from annotation.actions.imports import import_preferences, recognise
from annotation.actions.imports.formats import TITLES
from annotation.actions.imports.pairs import parse_mapping
from annotation.management.importing import Importing, add_file_arguments
from annotation.management.studies import study_named


class Command(BaseCommand):
    help = "Imports preference data in the field's formats; all of the file or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        add_file_arguments(parser, ())
        parser.add_argument("--format", default="", choices=["", *TITLES], help="Instead of recognising it.")
        parser.add_argument("--hide-raters", action="store_true", help="Replace every rater's id.")

    def handle(self, *args: object, **options: object) -> None:
        importing = Importing(self)
        study = study_named(options["study"])
        with importing.refusals_in_words():
            found = recognise(options["file"], options["format"])
            mapping = parse_mapping(found, options["column"], options["value"], options["set"])
            result = import_preferences(
                study,
                options["file"],
                found.name,
                mapping,
                hide_raters=options["hide_raters"],
                skip_bad=options["skip_bad"],
                on_skip=importing.skip,
                on_progress=importing.progress,
            )
        importing.done(result, "rows")
