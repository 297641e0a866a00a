"""`python manage.py demo_training`: judgments → reward models → SFT → RL → a new arm, scored."""

import json
import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.arms import add_arm, register_checkpoint
from annotation.actions.runs import start_run
from annotation.errors import DomainError
from annotation.management import installation
from annotation.management.commands import demo
from annotation.management.studies import study_named
from annotation.models import Arm, Study
from models_runtime.demo import ARMS
from models_runtime.training.demo import STAGES, by_stage, gain_over_families, interval
from models_runtime.training.evaluate import TARGETS, Scored, score_texts, shares_of
from models_runtime.training.measures import mean
from models_runtime.training.rows import Answer, judged
from models_runtime.training.scoring import RewardModel
from models_runtime.training.snapshots import read_snapshot

SLUG = "training-demo"
SEEDS = (0, 1, 6)  # the first that hold out at least 18 of the 58 judged prompts; each draws its own split
BEFORE, AFTER = "Before tuning", "After tuning"
FIGURES = {
    "r": "r = h·s by the reward models, which RL raised on other prompts",
    "raters_r": "r that raters gave to that very answer (0 where nobody read it)",
    "known": "share of answers that raters have read",
}
NOTE = (
    "Reward models and tuning have seen other families of prompts than those scored here. All models are "
    "parrots of one small corpus and the raters are simulated: this shows that the loop works, and says "
    "nothing about any real model."
)


class Command(BaseCommand):
    help = "Close the loop on the demo model: snapshot, reward models, SFT, RL, new arm, automatic scores."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--slug", default="", help=f"the study's name (default: {SLUG}, or the next free)"
        )

    def handle(self, *args, slug: str, **options) -> None:
        installation.prepare()
        slug = slug or next_free()
        call_command("demo", slug=slug, stdout=self.stdout)
        study = study_named(slug)
        data = Path(study.snapshots.all()[0].folder)
        home = settings.VAR / "training" / slug
        base = self.learn_base(settings.VAR / "training" / "demo-base")
        self.train(data, base, home)
        reports = [json.loads((folder / "report.json").read_text()) for folder in folders(home)]
        self.say_gains(reports)
        try:
            self.add_arms(study, base, folders(home)[0] / "rl")
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.say_scores(study, data, folders(home)[0])
        self.stdout.write(f"\n{NOTE}")

    def learn_base(self, folder: Path) -> Path:
        """A model to tune, made once: see models_runtime/training/demo.py."""
        if not (folder / "tokenizer_config.json").exists():
            self.stdout.write("\nThe demo model learns to answer without a system prompt …")
            self.wait_for([start("base", folder)], [folder.with_suffix(".log")])
        return folder

    def train(self, data: Path, base: Path, home: Path) -> None:
        """All seeds at once, one core each; their progress goes into train.log in their folders."""
        self.stdout.write(f"\nTraining with {len(SEEDS)} seeds; progress in {home}/seed-*.log …")
        started = [
            start("seed", folder, "--data", str(data), "--base", str(base), "--seed", str(seed))
            for seed, folder in zip(SEEDS, folders(home), strict=True)
        ]
        self.wait_for(started, [folder.with_suffix(".log") for folder in folders(home)])

    def wait_for(self, started: list[subprocess.Popen], logs: list[Path]) -> None:
        for process, log in zip(started, logs, strict=True):
            if process.wait():
                for other in started:
                    other.kill()
                last = log.read_text().strip().splitlines()[-1:]
                raise CommandError(f"Training stopped: {' '.join(last)} All that it said is in {log}.")

    def say_gains(self, reports: list[dict]) -> None:
        prompts = ", ".join(str(one["stages"]["rl"]["prompts"]) for one in reports)
        self.stdout.write(f"\nOn held-out prompts ({prompts} of seeds {', '.join(map(str, SEEDS))})")
        self.stdout.write(f"{'':<66}before   SFT    RL    gain, 95 % over seeds   over families")
        for name, words in FIGURES.items():
            found = by_stage(reports, name)
            means = "   ".join(f"{sum(found[stage]) / len(SEEDS):4.2f}" for stage in STAGES)
            gain = [after - before for before, after in zip(found["base"], found["rl"], strict=True)]
            middle, low, high = interval(gain)
            by_family = gain_over_families(reports, name)
            self.stdout.write(
                f"  {words:<64}{means}   {middle:+.2f}   {low:+.2f} … {high:+.2f}   "
                f"{by_family.low:+.2f} … {by_family.high:+.2f} ({by_family.clusters} families)"
            )
        for target in TARGETS:
            rates = [one["rewards"][target]["pairwise_accuracy"] for one in reports]
            said = ", ".join(f"{r['value']:.2f} ({r['low']:.2f}–{r['high']:.2f}, {r['n']})" for r in rates)
            self.stdout.write(f"  Pairs that the reward model of {target} orders as raters do: {said}")

    def add_arms(self, study: Study, base: Path, tuned: Path) -> None:
        """Two more arms, with the same prompt, none, and have them answer: pairs and rating follow."""
        add_arm(study, BEFORE, backend="transformers_local", model=str(base), sampling=ARMS[0]["sampling"])
        arm = register_checkpoint(study, tuned, AFTER)
        self.stdout.write(f"\n“{arm.name}” is an arm of “{study.slug}” now.")
        start_run(study)
        demo.Command(stdout=self.stdout).generate(study)

    def say_scores(self, study: Study, data: Path, seed: Path) -> None:
        rewards = {target: seed / target for target in TARGETS}
        scorers = {target: RewardModel.load(folder, target, "cpu") for target, folder in rewards.items()}
        held = judged(read_snapshot(data)).part("test", shares_of(map(str, rewards.values())))
        prompts = {answer.prompt_key: answer for answer in held.answers}
        self.stdout.write(f"\nAutomatic scores on {len(prompts)} held-out prompts     n     h      s      r")
        for arm in study.arms.all():
            self.say_arm(arm, scores_of(arm, prompts, scorers))

    def say_arm(self, arm: Arm, scored: list[Scored]) -> None:
        for intent in ("", *sorted({one.intent for one in scored})):
            inside = [one for one in scored if intent in ("", one.intent)]
            means = [mean([getattr(one, name) for one in inside], range(len(inside))) for name in "hsr"]
            figures = "   ".join(f"{one.value:4.2f}" for one in means if one)
            name = f"{arm.name}, {intent or 'all intents'}"
            self.stdout.write(f"  {name:<42}{len(inside):>4}   {figures}")


def next_free() -> str:
    """A slug that no study has."""
    names = (SLUG if number == 1 else f"{SLUG}-{number}" for number in range(1, 10_000))
    taken = set(Study.objects.values_list("slug", flat=True))
    return next(name for name in names if name not in taken)


def folders(home: Path) -> list[Path]:
    return [home / f"seed-{seed}" for seed in SEEDS]


def start(part: str, out: Path, *words: str) -> subprocess.Popen:
    """A process that trains on one core; what it says goes into a log beside its folder."""
    out.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }
    command = [sys.executable, "-m", "models_runtime.training.demo", part, "--out", str(out), *words]
    with out.with_suffix(".log").open("w") as log:
        return subprocess.Popen(
            command, cwd=settings.BASE_DIR, env=environment, stdout=log, stderr=subprocess.STDOUT
        )


def scores_of(arm: Arm, prompts: dict[str, Answer], scorers: dict) -> list[Scored]:
    rows = arm.responses.current().filter(prompt__key__in=prompts, sample=0)
    texts = dict(rows.values_list("prompt__key", "text"))
    return score_texts([prompts[key] for key in texts], list(texts.values()), scorers)
