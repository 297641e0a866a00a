"""``python manage.py import_preferences STUDY FILE``: preference data in any known format."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.imports import import_preferences, jobs, recognise
from annotation.actions.imports.formats import TITLES
from annotation.actions.imports.loading import MOST_LISTED, Imported
from annotation.actions.imports.mapping import Mapping
from annotation.actions.imports.pairs import parse_mapping
from annotation.actions.imports.preview import Preview, preview
from annotation.management.importing import Importing, add_file_arguments
from annotation.management.studies import study_named
from annotation.models import FileImport, Study
from annotation.text import spelt_out
from annotation.vocabulary import BatchState

WORKER = "command line"


class Command(BaseCommand):
    help = "Imports preference data in the field's formats: all of the file or nothing, or --in-parts."

    def add_arguments(self, parser: CommandParser) -> None:
        add_file_arguments(parser, ())
        parser.add_argument("--format", default="", choices=["", *TITLES], help="Instead of recognising it.")
        parser.add_argument(
            "--in-parts",
            action="store_true",
            help="Keep the file part by part, so that it can be stopped and resumed; bad rows are left out.",
        )
        parser.add_argument(
            "--resume", action="store_true", help="Go on with a file that stopped in between."
        )
        parser.add_argument("--preview", action="store_true", help="Only say what the file would bring.")
        parser.add_argument("--hide-raters", action="store_true", help="Replace every rater's id.")

    def handle(self, *args: object, **options: object) -> None:
        importing = Importing(self, options["file"])
        study = study_named(options["study"])
        with importing.refusals_in_words():
            if options["resume"]:
                self._resume(study, options["file"], importing)
                return
            found = recognise(options["file"], options["format"])
            self.stderr.write(spelt_out(found.hint), style_func=str)
            given = options["column"], options["value"], options["set"]
            mapping = parse_mapping(found, *given)
            if options["preview"]:
                shown = preview(study, options["file"], found, mapping, hide=options["hide_raters"])
                self._preview(shown, importing.unit.capitalize())
            elif options["in_parts"]:
                job = jobs.refer_to(study, options["file"], found)
                jobs.remap(job, found.name, *given, options["hide_raters"])
                self._bring_in(job, importing)
            else:
                importing.done(self._whole(study, found.name, mapping, options, importing), "rows")

    def _whole(
        self, study: Study, name: str, mapping: Mapping, options: dict, importing: Importing
    ) -> Imported:
        return import_preferences(
            study,
            options["file"],
            name,
            mapping,
            hide_raters=options["hide_raters"],
            skip_bad=options["skip_bad"],
            on_skip=importing.skip,
            on_progress=importing.progress,
        )

    def _resume(self, study: Study, path: Path, importing: Importing) -> None:
        job = jobs.unfinished_of(study, path)
        if job is None:
            raise CommandError(f"No import of “{path.name}” into “{study.slug}” has stopped in between.")
        jobs.stop_silent(job, WORKER)
        self.stderr.write(f"Goes on after row {job.rows_read:,}.", style_func=str)
        self._bring_in(job, importing)

    def _bring_in(self, job: FileImport, importing: Importing) -> None:
        """Take the file in here and now; Ctrl-C stops it after the part that is in hand."""
        jobs.start(job)
        claimed = jobs.claim(job.pk, WORKER)
        if claimed is None:
            raise CommandError("Another worker has this import in hand. Stop it on the desk first.")
        try:
            jobs.run(claimed)
        except KeyboardInterrupt:
            jobs.stop(claimed)
        job.refresh_from_db()
        for problem in job.problems.all()[:MOST_LISTED]:
            importing.skip(problem.line, problem.reason)
        importing.done(Imported(rows=job.rows_read, **job.counts), "rows")
        if job.state != BatchState.DONE:
            raise CommandError(
                f"{job.error or 'The import was stopped.'} It has come to row {job.rows_read:,}; "
                "--resume goes on."
            )

    def _preview(self, shown: Preview, unit: str) -> None:
        """What the first rows would bring, in lines."""
        say = self.stdout.write
        say(f"{shown.taken} of the first {shown.looked_at} rows can be taken. Nothing was kept.")
        say(f"They hold {shown.prompts} prompts, {shown.answers} answers, {shown.judgments} judgments.")
        for name, column in shown.sources.items():
            say(spelt_out(f"  {name} from “{column}”"))
        if shown.missing:
            say(f"Needed, and not there: {', '.join(shown.missing)}. Use --column or --set.")
        if shown.unused:
            say(spelt_out(f"Not used: {', '.join(shown.unused)}."))
        for row in shown.rows:
            say(
                spelt_out(
                    f"{unit} {row.line}: {row.prompt_key} ({row.labels or 'no labels'}) {row.prompt[:100]}"
                )
            )
            for arm, text in row.answers:
                say(spelt_out(f"    {arm}: {text[:100]}"))
            for judgment in row.judgments:
                say(spelt_out(f"    {judgment}"))
        for line, reason in shown.problems:
            say(spelt_out(f"{unit} {line}: {reason}"))
