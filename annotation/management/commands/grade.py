"""`python manage.py grade STUDY …`: have a judge model grade a study's responses, watch it, resume it."""

import time

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation import strict_json, tasks
from annotation.actions import grading
from annotation.errors import DomainError
from annotation.management.studies import HOW_TO_START_ONE, hint, study_named
from annotation.models import Grading, Study
from annotation.models.model_settings import MODEL_SETTINGS
from annotation.reports.grades import failed_grades, grading_progress, missing_grader
from annotation.text import spelt_out
from annotation.vocabulary import GradingState, KeepRule


class Command(BaseCommand):
    help = "Have a judge model grade a study's responses as a shadow rater, or resume the newest grading."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="the study's slug")
        parser.add_argument("--backend", default="transformers_local", help="as for arms")
        parser.add_argument("--model", default="", help="the judge, by name or path, as for arms")
        parser.add_argument("--revision", default="", help="branch, tag or commit of the judge")
        parser.add_argument("--dtype", default="auto")
        parser.add_argument("--device", default="auto")
        parser.add_argument("--adapter", default="", help="LoRA adapter of the judge, by name or path")
        parser.add_argument("--quantization", default="", help="8bit or 4bit")
        parser.add_argument("--base-url", default="", help="of the judge's server (openai_http)")
        parser.add_argument(
            "--api-key-variable", default="", help="NAME of the variable that holds the server's key"
        )
        parser.add_argument("--sampling", default="{}", help='JSON, such as {"temperature": 0.7}')
        parser.add_argument(
            "--policy-given", action="store_true", help="show the judge the study's guideline"
        )
        parser.add_argument("--repeats", type=int, default=1, help="how often each response is graded")
        parser.add_argument(
            "--keep", choices=KeepRule.values, default=KeepRule.MIN, help="what counts of several"
        )
        parser.add_argument("--resume", action="store_true", help="go on with the newest grading instead")
        parser.add_argument(
            "--wait", action="store_true", help="show progress until the grading stands still"
        )

    def handle(self, *args, study: str, resume: bool, wait: bool, **options) -> None:
        found = study_named(study)
        try:
            graded = self.resume(found) if resume else self.start(found, options)
        except DomainError as error:
            raise CommandError(str(error)) from error
        hint(self, tasks.hint_grading, graded)
        self.show(graded)
        while wait and not grading_progress(graded).is_finished:
            time.sleep(2)
            graded.refresh_from_db()
            self.show(graded)
        if wait and graded.state == GradingState.FAILED:
            raise CommandError(f"It stopped. Put that right, then: manage.py grade {study} --resume --wait")

    def start(self, study: Study, options: dict) -> Grading:
        named = {name: options[name] for name in MODEL_SETTINGS if name in options}
        judge = grading.Judge(**named, sampling=_json(options["sampling"]))
        return grading.start_grading(
            study, judge, options["policy_given"], options["repeats"], options["keep"]
        )

    def resume(self, study: Study) -> Grading:
        newest = study.gradings.first()
        if newest is None:
            raise CommandError(f"“{study.slug}” has no grading yet. Start one: name --backend and --model.")
        grading.resume_grading(newest)
        newest.refresh_from_db()
        return newest

    def show(self, graded: Grading) -> None:
        now = grading_progress(graded)
        self.stdout.write(
            f"Grading {graded.number}: {graded.get_state_display().lower()}, "
            f"{now.done} of {now.total} grades, {now.failed} without a verdict"
        )
        if now.error:
            self.stdout.write(spelt_out(f"  {now.error}"))
        if missing := missing_grader(graded.study):
            self.stdout.write(f"  {missing} {HOW_TO_START_ONE}")
        if now.is_finished and now.failed:
            self.stdout.write(spelt_out(f"  The first: {failed_grades(graded, 1)[0].failure}"))


def _json(text: str) -> dict:
    try:
        sampling = strict_json.read(text)
    except strict_json.NotJSON as error:
        raise CommandError(f"In --sampling: {error}") from error
    if not isinstance(sampling, dict):
        raise CommandError('--sampling is an object, such as {"temperature": 0.7}.')
    return sampling
