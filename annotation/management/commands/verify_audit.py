"""``python manage.py verify_audit [STUDY …]``: whether anybody rewrote what happened, and where first."""

import json
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from annotation.management.studies import study_named
from annotation.models import Study
from annotation.reports.audit import Head, Verdict, audit_study, head_of, heads_of
from annotation.text import spelt_out


class Command(BaseCommand):
    help = (
        "Checks every study's chain of events against its seals; ends with an error at the first that broke."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("studies", nargs="*", metavar="STUDY", help="short names (default: all)")
        parser.add_argument(
            "--keep",
            type=Path,
            metavar="FILE",
            help="write the newest seals there, to keep on another machine",
        )
        parser.add_argument(
            "--against",
            type=Path,
            metavar="FILE",
            help="seals kept earlier: none of them may be gone or differ",
        )

    def handle(self, *args, studies: list[str], keep: Path | None, against: Path | None, **options) -> None:
        kept = _read(against) if against else {}
        found = [study_named(slug) for slug in studies] or list(Study.objects.order_by("slug"))
        heads = {study: head_of(study, kept) for study in found}
        verdicts = [audit_study(study, head) for study, head in heads.items()]
        for verdict in verdicts:
            self.stdout.write(spelt_out(_line(verdict)))
        gone = [] if studies else sorted(slug for slug, head in kept.items() if head not in heads.values())
        for slug in gone:
            self.stdout.write(spelt_out(f"{slug}: BROKEN. The whole study is missing."))
        if broken := sum(not verdict.holds for verdict in verdicts) + len(gone):
            raise CommandError(
                f"The record of {broken} {'study' if broken == 1 else 'studies'} does not hold. Compare the "
                "rows named above with a backup (docs/decisions/audit.md)."
            )
        if keep:
            _write(keep, verdicts)


def _line(verdict: Verdict) -> str:
    waits = f", {verdict.unsealed:,} since" if verdict.unsealed else ""
    seals = f"{verdict.seals:,} seal{'' if verdict.seals == 1 else 's'}"
    told = f"{verdict.slug}: {verdict.sealed:,} events in {seals}{waits}"
    return f"{told}. BROKEN. {verdict.broken}" if verdict.broken else f"{told}. All as it was sealed."


def _read(path: Path) -> dict[str, Head]:
    try:
        return heads_of(json.loads(path.read_text()))
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(
            f"“{path}” cannot be read as seals that were kept: {error} Name a file that --keep wrote."
        ) from error


def _write(path: Path, verdicts: list[Verdict]) -> None:
    heads = {
        one.slug: {"study": one.study, "number": one.seals, "digest": one.head}
        for one in verdicts
        if one.seals
    }
    try:
        path.write_text(json.dumps(heads, indent=2) + "\n")
    except OSError as error:
        raise CommandError(f"“{path}” cannot be written: {error.strerror}.") from error
