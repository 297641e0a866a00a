"""`python manage.py demo`: the whole loop once, headless: generate, pair, review, judge, report, freeze."""

import time

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation import tasks
from annotation.actions import gold, quality, reviewing, runs
from annotation.actions.enrolment import enrol
from annotation.actions.snapshots import freeze_snapshot
from annotation.errors import DomainError
from annotation.management import demo, installation
from annotation.management.simulated import WITHHELD, SimulatedRater
from annotation.management.studies import an_owner_of
from annotation.models import Pair, Run, Study
from annotation.reports.agreement import agreement_report
from annotation.reports.outcomes import outcomes_report
from annotation.reports.progress import run_progress
from annotation.reports.quality import quality_report
from annotation.reports.review import Waiting
from annotation.reports.winrates import win_rate_report
from annotation.stats.estimate import Estimate
from annotation.vocabulary import ReviewDecision, RunState
from models_runtime.demo import MODEL_PATH
from models_runtime.worker import BackendCache

SLUG = "headless-demo"
OVERLAP = 3
RATERS = (  # noise, strictness, how many pairs a careless one judges before they leave
    ("simulated-1", 0.35, 0.0, None),
    ("simulated-2", 0.45, 0.2, None),
    ("simulated-careless", 0.0, 0.0, 24),
    ("simulated-3", 0.60, -0.2, None),
)
GOLD = 6
MIXED_IN = {"gold_percent": 12, "repeat_percent": 8}


class Command(BaseCommand):
    said = 0
    help = "Run the whole loop once with simulated raters: generate, pair, review, judge, report, freeze."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--slug", default=SLUG, help="the study's name; a new one starts afresh")
        parser.add_argument(
            "--model", default="", help="a folder or hub name instead of the small demo model"
        )

    def handle(self, *args, slug: str, model: str, **options) -> None:
        installation.prepare()
        try:
            study = self.prepare(slug, model)
            self.generate(study)
            self.review(study)
            self.check_raters(study)
            self.judge(study)
            self.report(study)
            self.signals(study)
            self.freeze(study)
        except DomainError as error:
            raise CommandError(str(error)) from error

    def prepare(self, slug: str, model: str) -> Study:
        """The study with its people; the one that is there if it runs the same model."""
        researcher = demo.person(demo.RESEARCHER, demo.logins()[demo.RESEARCHER], is_staff=True)
        study = Study.objects.filter(slug=slug).first()
        if study is None:
            title = f"Demo with simulated raters ({slug})"
            return demo.demo_study(slug, title, researcher, model, overlap=OVERLAP)
        wanted = model or str(MODEL_PATH)
        study.arms.filter(frozen_at=None).update(model=wanted)  # a model that never loaded may be replaced
        if study.arms.exclude(model=wanted).exists():
            raise CommandError(
                f"The study “{slug}” runs another model. Start a new one with --slug, for example: "
                f"python manage.py demo --slug another-demo --model {wanted}"
            )
        return study

    def generate(self, study: Study) -> None:
        """Generate in this process, beside any worker that may be running."""
        run = demo.run_of(study)
        if run.state == RunState.FAILED:
            runs.resume_run(run)
        backends = BackendCache()
        while Run.objects.unfinished().filter(pk=run.pk).exists():
            runs.requeue_stale()
            if not tasks.generate_next(run.pk, "demo", backends) and not runs.finish_run(run):
                time.sleep(0.2)  # a worker elsewhere has the rest
            self.say_progress(run)
        study.refresh_from_db()
        self.stdout.write(f"{study.responses.count()} responses, {study.pair_count} pairs.")

    def say_progress(self, run: Run) -> None:
        run.refresh_from_db()
        if run.state == RunState.FAILED:
            raise CommandError(f"The run stopped: {run.error} Mend it and start the demo again to go on.")
        now = run_progress(run)
        if now.done != self.said:
            self.said = now.done
            self.stdout.write(f"  generated {now.done} of {now.total}")

    def review(self, study: Study) -> None:
        """Decide as a researcher in a hurry would: mask where a name stands, and show the rest as it is."""
        researcher = an_owner_of(study)
        masked = reviewing.decide(study, Waiting(study).keys, ReviewDecision.MASK, researcher)
        shown = reviewing.decide(study, Waiting(study).keys, ReviewDecision.SHOW, researcher)
        if masked.done or shown.done:
            self.stdout.write(
                f"{masked.done + shown.done} marked pairs: {masked.done} shown with a name masked, "
                f"{shown.done} as they are."
            )

    def check_raters(self, study: Study) -> None:
        """Have the raters checked: pairs with one stand-in for harm are gold, and some come twice."""
        if study.gold.exists():
            return
        pairs = study.pairs.unseen().select_related("response_a", "response_b").order_by("position")
        told = [(pair, [WITHHELD in text.lower() for text in texts_of(pair)]) for pair in pairs]
        chosen = [(pair, unsafe) for pair, unsafe in told if unsafe[0] != unsafe[1]][:GOLD]
        for pair, (a_unsafe, b_unsafe) in chosen:
            gold.make_gold(pair, {"a_unsafe": a_unsafe, "b_unsafe": b_unsafe})
        quality.set_mix(study, an_owner_of(study), **MIXED_IN)
        self.stdout.write(f"{len(chosen)} gold pairs; they and repeated ones are mixed in.")

    def judge(self, study: Study) -> None:
        for number, (name, noise, strictness, most) in enumerate(RATERS):
            user = demo.person(name, None)
            rater = SimulatedRater(user, number, noise, strictness, is_careless=most is not None)
            judged = sum(1 for _ in rater.judge_all(enrol(study, user), most))
            self.stdout.write(f"  {name} judged {judged} pairs over HTTP")

    def report(self, study: Study) -> None:
        self.stdout.write("\nAgreement                raw     alpha   interval         items")
        for row in agreement_report(study).questions:
            self.stdout.write(f"  {row.question:<20}{_number(row.raw)}   {_line(row.alpha)}   {row.items:>5}")
        report = win_rate_report(study)
        self.stdout.write("\nWin rates                rate    interval         wins/ties/both bad/losses")
        for row in report.rows:
            counts = f"{row.wins}/{row.ties}/{row.both_bad}/{row.losses}"
            self.stdout.write(
                f"  {row.question:<20}{_line(row.rate)}   {counts}   {row.arm_a} against {row.arm_b}"
            )
        self.stdout.write(f"  {report.rule}")
        self.stdout.write("\nOutcomes                                     safe    helpful given safe")
        for row in outcomes_report(study).rows:
            name = f"{row.arm}, {row.intent or 'all intents'}"
            self.stdout.write(
                f"  {name:<40}   {_number(row.safe.estimate)}   {_number(row.helpful.estimate)}"
            )

    def signals(self, study: Study) -> None:
        self.stdout.write("\nRaters                    gold right     same side     as most others")
        for rater in quality_report(study):
            signals = (rater.gold, rater.left, rater.agreeing)
            shown = "     ".join(f"{_number(found)} ({found.n})" for found in signals)
            self.stdout.write(f"  {rater.code}   {shown}")

    def freeze(self, study: Study) -> None:
        snapshot = freeze_snapshot(study)
        self.stdout.write(f"\nSnapshot {snapshot.number}: {snapshot.folder}")


def texts_of(pair: Pair) -> tuple[str, str]:
    """What raters read of response a and of response b."""
    return pair.text_of(pair.response_a), pair.text_of(pair.response_b)


def _number(estimate: Estimate) -> str:
    return f"{estimate.value:5.2f}" if estimate.value is not None else "   – "


def _line(estimate: Estimate) -> str:
    if estimate.low is None:
        return f"{_number(estimate)}   {'no interval':<14}"
    return f"{_number(estimate)}   {estimate.low:5.2f} … {estimate.high:4.2f} "
