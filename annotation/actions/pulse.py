"""A study's numbers are counted, and kept for its pages."""

import time
from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from annotation.models import Pulse, Study
from annotation.printing.sentences import headline
from annotation.reports.rows import Answers
from annotation.reports.running import Counted, counted
from annotation.reports.winrates import HEADLINE, win_rate_report

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
    found = count_now(study)
    told = {"taken_at": found.taken_at, "seconds": time.monotonic() - began, "body": found.to_json()}
    Pulse.objects.update_or_create(study=study, defaults=told)
    return found


def is_due(study: Study) -> bool:
    """Whether the numbers have rested long enough to be counted anew."""
    pulse = Pulse.objects.filter(study=study).only("taken_at", "seconds").first()
    if pulse is None:
        return True
    rest = max(REST, REST_IN_COUNTINGS * timedelta(seconds=pulse.seconds))
    return pulse.taken_at + rest <= timezone.now()
