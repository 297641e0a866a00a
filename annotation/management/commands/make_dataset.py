"""``python manage.py make_dataset STUDY NUMBER --format F --out DIR``: files for training from a snapshot."""

from dataclasses import MISSING, Field, fields
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.actions.datasets import write_dataset
from annotation.datasets.describing import units_of
from annotation.datasets.recipe import CHOICES, FileKind, Format, Recipe
from annotation.errors import DomainError
from annotation.management.studies import study_named

LISTS = ("files", "cohorts", "leave_out_raters")
HELP = {
    "files": "kinds of files",
    "aggregation": "how several raters become one answer",
    "decides": "the pair question that chooses; usual: balance, for pku_saferlhf more_helpful",
    "ties": "what becomes of ties",
    "margin": "where the margin comes from",
    "min_judgments": "leave out what has fewer",
    "min_agreement": "leave out what has less, 0 to 1",
    "masked": "answers that raters read with a name masked",
    "duplicates": "same prompt words and same answers",
    "cohorts": "only raters of these cohorts",
    "leave_out_raters": "raters by their code in the snapshot",
    "paused_raters": "judgments of raters who were paused",
    "system_messages": "of prompts",
    "label_from": "where trl_unpaired has its labels from",
    "least_reward": "with labels from r, true from here on",
    "least_safety": "sft: least s of an answer to imitate",
    "best_of": "sft: one for each prompt, or for each prompt and mode",
    "split": "train, validation and test, or train alone",
    "split_seed": "another seed shares families out anew",
    "test_share": "of families",
    "validation_share": "of families",
}


class Command(BaseCommand):
    help = "Writes files for training, made from a frozen snapshot by rules that the manifest tells."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", metavar="STUDY", help="The study's short name.")
        parser.add_argument("number", metavar="NUMBER", type=int, help="The snapshot's number.")
        parser.add_argument("--format", required=True, choices=Format.values)
        parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="A new or empty folder.")
        for rule in fields(Recipe):
            if rule.default is not MISSING:
                _add_rule(parser, rule)

    def handle(self, *args: object, **options: object) -> None:
        study = study_named(options["study"])
        snapshot = study.snapshots.select_related("study").filter(number=options["number"]).first()
        if snapshot is None:
            numbers = ", ".join(str(one.number) for one in study.snapshots.all()) or "none"
            raise CommandError(
                f"“{study.slug}” has no snapshot {options['number']}. Its snapshots: {numbers}."
            )
        told = {rule.name: options[rule.name] for rule in fields(Recipe) if options[rule.name] is not None}
        try:
            manifest = write_dataset(snapshot, Recipe.from_dict(told), options["out"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_told(manifest, options["out"]))


def _add_rule(parser: CommandParser, rule: Field) -> None:
    """An option of the rule's name and type; what is not given has the recipe's default."""
    name = f"--{rule.name.replace('_', '-')}"
    if rule.name in LISTS:
        choices = FileKind.values if rule.name == "files" else None
        parser.add_argument(name, nargs="+", choices=choices, help=f"{HELP[rule.name]}.")
        return
    usual = f" (default {rule.default})" if rule.default != "" else ""
    choices = [value for value in CHOICES[rule.name].values if value] if rule.name in CHOICES else None
    kind = type(rule.default)
    metavar = None if choices else "N"
    parser.add_argument(name, type=kind, choices=choices, metavar=metavar, help=f"{HELP[rule.name]}{usual}.")


def _told(manifest: dict, out: Path) -> str:
    counts = manifest["counts"]
    parts = ", ".join(f"{told['rows']:,} {part}" for part, told in counts["splits"].items())
    items = counts["items"]
    reasons = [f"{n:,} {reason.replace('_', ' ')}" for reason, n in items["left_out"].items() if n]
    left_out = f" Left out: {', '.join(reasons)}." if reasons else ""
    return (
        f"{counts['rows']:,} rows of {manifest['format']} ({parts}) from {items['kept']:,} of "
        f"{items['judged']:,} {units_of(items)}.{left_out} In {out}"
    )
