"""A study's numbers are counted, and kept for its pages."""

import time
from dataclasses import replace
from datetime import datetime, timedelta

from django.utils import timezone

from annotation.models import Pulse, RaterPulse, Study
from annotation.printing.sentences import headline
from annotation.reports.quality import quality_report, signals_as_json
from annotation.reports.reading import reading_all
from annotation.reports.rows import Answers
from annotation.reports.running import Counted, counted
from annotation.reports.winrates import HEADLINE, win_rate_report

RATERS_AT_ONCE = 100
REST = timedelta(seconds=15)
REST_IN_COUNTINGS = 4
"""While raters work the numbers move all the time: new ones rest so long, and so many times as long as
counting took, so that a worker has time for other things."""


def count_now(study: Study) -> Counted:
    """The study's numbers at this moment, kept nowhere."""
    answers = Answers.of_pairs_alone(study)
    lines = win_rate_report(study, answers, questions=(HEADLINE,)).headlines
    return replace(counted(study, answers), headlines=tuple(map(headline, lines)))


def take_pulse(study: Study) -> Counted:
    """Count the study's numbers and keep them instead of those before."""
    began = time.monotonic()
    with reading_all():
        found = count_now(study)
    told = {"taken_at": found.taken_at, "seconds": time.monotonic() - began, "body": found.to_json()}
    Pulse.objects.update_or_create(study=study, defaults=told)
    return found


def take_signals(study: Study) -> int:
    """Count the signals of all raters and keep them; says of how many."""
    began = time.monotonic()
    with reading_all():
        report = quality_report(study)
    found = [RaterPulse(enrolment_id=rater.pk, body=signals_as_json(rater)) for rater in report]
    RaterPulse.objects.bulk_create(
        found,
        batch_size=RATERS_AT_ONCE,
        update_conflicts=True,
        unique_fields=["enrolment"],
        update_fields=["body"],
    )
    told = {"signals_at": timezone.now(), "signals_seconds": time.monotonic() - began}
    Pulse.objects.filter(study=study).update(**told)
    return len(found)


def signals_are_due(study: Study) -> bool:
    """Whether the raters' signals have rested long enough to be counted anew; not before the first pulse."""
    pulse = Pulse.objects.filter(study=study).only("signals_at", "signals_seconds").first()
    return pulse is not None and _has_rested(pulse.signals_at, pulse.signals_seconds)


def is_due(study: Study) -> bool:
    """Whether the numbers have rested long enough to be counted anew."""
    pulse = Pulse.objects.filter(study=study).only("taken_at", "seconds").first()
    return pulse is None or _has_rested(pulse.taken_at, pulse.seconds)


def _has_rested(taken_at: datetime | None, seconds: float) -> bool:
    rest = max(REST, REST_IN_COUNTINGS * timedelta(seconds=seconds))
    return taken_at is None or taken_at + rest <= timezone.now()
