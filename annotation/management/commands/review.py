"""`python manage.py review STUDY …`: list marked pairs, decide about them, look at pairs again."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation import tasks
from annotation.actions import reviewing
from annotation.actions.reviewing import MOST_AT_ONCE, Decided
from annotation.errors import DomainError
from annotation.management.studies import hint, study_named
from annotation.models import Study
from annotation.reports.review import ReviewedPair, Waiting, reviewed
from annotation.vocabulary import MarkKind, ReviewDecision

LISTED_AT_ONCE = 100


class Command(BaseCommand):
    help = "List the pairs that wait for review, decide about them, or look at pairs again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="the study's slug")
        parser.add_argument(
            "what",
            choices=["list", *ReviewDecision.values, "take-back", "rescan"],
            help="list them, decide (show as is, mask the name, generate again, drop), or look again",
        )
        parser.add_argument(
            "--kind", choices=MarkKind.values, help="pairs with this mark (list), and no other"
        )
        parser.add_argument("--pairs", type=int, nargs="+", metavar="PAIR", help="these, as numbered by list")

    def handle(
        self, *args, study: str, what: str, kind: str | None, pairs: list[int] | None, **options
    ) -> None:
        found = study_named(study)
        try:
            if what == "list":
                self.show_list(found, kind)
            elif what == "rescan":
                self.rescan(found)
            else:
                self.decide(found, what, self.named(found, what, kind, pairs))
        except DomainError as error:
            raise CommandError(str(error)) from error

    def named(self, study: Study, what: str, kind: str | None, pairs: list[int] | None) -> list[int]:
        """The pairs that a decision is about. Raises CommandError."""
        if pairs and not kind:
            return _of_the_study(study, pairs)
        if kind and not pairs and what != "take-back":
            return Waiting(study).only_of_kind(kind)
        raise CommandError(
            "Name --pairs." if what == "take-back" else "Name --pairs or --kind, one of the two."
        )

    def show_list(self, study: Study, kind: str | None) -> None:
        waiting = Waiting(study)
        keys = waiting.of_kind(kind or "")
        for start in range(0, len(keys), LISTED_AT_ONCE):
            for pair in reviewed(study, keys[start : start + LISTED_AT_ONCE]):
                self.stdout.write(_line(pair))
        for count in waiting.kinds():
            self.stdout.write(f"{count.kind}: {_pairs(count.pairs)}, {len(count.keys)} with no other mark")
        verb = "waits" if len(waiting.keys) == 1 else "wait"
        self.stdout.write(f"{_pairs(len(waiting.keys))} of “{study.slug}” {verb} for review.")

    def decide(self, study: Study, what: str, keys: list[int]) -> None:
        """Raises CommandError where pairs were named and each was refused."""
        done = 0
        for start in range(0, len(keys), MOST_AT_ONCE):
            part = keys[start : start + MOST_AT_ONCE]
            if what == "take-back":
                decided = reviewing.take_back(study, part)
            else:
                decided = reviewing.decide(study, part, what)
            self.tell(what, decided)
            done += decided.done
            if decided.run and start + MOST_AT_ONCE < len(keys):
                self.stdout.write("The rest can be generated again when this run is done.")
                break
        if not keys:
            self.stdout.write("No such pair waits.")
        elif not done:
            raise CommandError("Nothing was changed.")

    def tell(self, what: str, decided: Decided) -> None:
        self.stdout.write(f"{what}: {_pairs(decided.done)}")
        for reason, count in decided.refused.items():
            self.stdout.write(f"  {count} left as before: {reason}")
        if decided.run:
            self.stdout.write(f"  Run {decided.run.number} generates the new answers.")
            hint(self, tasks.hint, decided.run)

    def rescan(self, study: Study) -> None:
        found = reviewing.rescan(study)
        self.stdout.write(
            f"{_pairs(found.looked_at)} looked at: {found.held} wait now, {found.opened} are open now."
        )


def _of_the_study(study: Study, pairs: list[int]) -> list[int]:
    """The pairs as they were named. Raises CommandError where the study has no such pair."""
    known = set(study.pairs.filter(pk__in=pairs).values_list("pk", flat=True))
    if unknown := [str(pair) for pair in pairs if pair not in known]:
        raise CommandError(
            f"“{study.slug}” has no pair {', '.join(unknown)}; nothing was changed. "
            f"`manage.py review {study.slug} list` shows the numbers of those that wait."
        )
    return pairs


def _pairs(count: int) -> str:
    return f"{count} pair" if count == 1 else f"{count} pairs"


def _line(pair: ReviewedPair) -> str:
    """The pair's number, place and marks. No text of a model, which may play tricks on terminals."""
    row = pair.pair
    parts = [("", pair.marks), (f"{pair.a.response.arm.name}: ", pair.a.marks)]
    parts.append((f"{pair.b.response.arm.name}: ", pair.b.marks))
    marks = "; ".join(whose + ", ".join(mark.kind for mark in marks) for whose, marks in parts if marks)
    return f"{row.pk}  {row.prompt.key}, sample {row.response_a.sample + 1}  {marks}"
