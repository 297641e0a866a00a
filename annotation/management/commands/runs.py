"""`python manage.py runs STUDY …`: start a run, watch it, pause, resume, cancel or retry it."""

import time

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation import tasks
from annotation.actions import generating, runs
from annotation.errors import DomainError
from annotation.management.studies import HOW_TO_START_ONE, hint, study_named
from annotation.models import Run, Study
from annotation.reports.fairness import fairness_report
from annotation.reports.progress import missing_worker, run_progress
from annotation.text import spelt_out
from annotation.vocabulary import RunState
from models_runtime.worker import BackendCache


class Command(BaseCommand):
    help = "Start, watch, pause, resume, cancel or retry a study's generation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="the study's slug")
        parser.add_argument(
            "what",
            choices=["start", "status", "fairness", "dry-run", *runs.CONTROLS],
            help="what to do with its newest run",
        )
        parser.add_argument("--samples", type=int, default=1, help="answers per prompt and arm (start)")
        parser.add_argument("--wait", action="store_true", help="show progress until the run is over")

    def handle(self, *args, study: str, what: str, samples: int, wait: bool, **options) -> None:
        found = study_named(study)
        if what in ("fairness", "dry-run"):
            return self.show_fairness(found) if what == "fairness" else self.show_dry_run(found)
        try:
            run = runs.start_run(found, samples) if what == "start" else self.newest(found)
            if what in runs.CONTROLS:
                runs.CONTROLS[what](run)
        except DomainError as error:
            raise CommandError(str(error)) from error
        if what == "start" or what in runs.GOES_ON:
            hint(self, tasks.hint, run)
        self.show(run)
        while wait and not run_progress(run).is_finished:
            time.sleep(2)
            run.refresh_from_db()
            self.show(run)
        if wait and run.state == RunState.FAILED:
            raise CommandError(f"It stopped. Put that right, then: manage.py runs {study} resume --wait")

    def newest(self, study: Study) -> Run:
        run = study.runs.first()
        if run is None:
            raise CommandError(f"“{study.slug}” has no run yet. Start one: manage.py runs {study.slug} start")
        return run

    def show(self, run: Run) -> None:
        run.refresh_from_db()
        now = run_progress(run)
        speed = f", {now.tokens_per_second:.0f} tokens/s" if now.tokens_per_second else ""
        left = f", about {now.seconds_left:.0f} s left" if now.seconds_left else ""
        self.stdout.write(
            f"Run {run.number}: {run.get_state_display().lower()}, {now.done} of {now.total} responses, "
            f"{now.failed} failed{speed}{left}"
        )
        if now.error:
            self.stdout.write(spelt_out(f"  {now.error}"))
        if missing := missing_worker(Run.objects.filter(pk=run.pk)):
            self.stdout.write(f"  {missing} {HOW_TO_START_ONE}")

    def show_fairness(self, study: Study) -> None:
        report = fairness_report(study)
        for row in report.differences:
            self.stdout.write(f"{row.setting}: " + " | ".join(row.values))
        for row in report.coverage:
            self.stdout.write(f"{row.arm}: {row.responses} responses, {row.unmatched} without a counterpart")

    def show_dry_run(self, study: Study) -> None:
        for entry in generating.dry_run(study, BackendCache()):
            shown = spelt_out(entry["text"] or entry["error"])
            self.stdout.write(f"--- {entry['arm']}, {entry['prompt']} ---\n{shown}\n")
