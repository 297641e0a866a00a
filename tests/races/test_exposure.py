"""What only the day's exposure keeps from a rater is still theirs after a claim that had to wait."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from annotation.actions.claims import claim_next_pair
from annotation.actions.judging import submit_judgment
from annotation.models import Pair, Prompt
from tests.cast import a_rateable_study, a_rater, answers, bob
from tests.races.test_raters import at_once

pytestmark = pytest.mark.postgresql


def test_a_claim_that_waits_passes_over_nothing(committed_db):
    study = a_rateable_study(pairs=3, blurred_categories=["hate"], exposure_per_day=1)
    met, kept_back, harmless = study.pairs.order_by("place")
    Prompt.objects.filter(pk__in=[met.prompt_id, kept_back.prompt_id]).update(harm_category="hate")
    rater, locked = a_rater(study, bob()), threading.Event()
    assert judge(rater) == met.pk

    def hold_the_row():
        with transaction.atomic():
            Pair.objects.select_for_update().get(pk=harmless.pk)
            locked.set()
            time.sleep(0.5)

    def claim_meanwhile():
        locked.wait()
        return judge(rater)

    assert at_once(lambda job: job(), [hold_the_row, claim_meanwhile]) == [None, harmless.pk]
    assert judge(rater, timezone.now() + timedelta(hours=25)) == kept_back.pk


def judge(rater, at=None) -> int:
    held = claim_next_pair(rater, at=at)
    return submit_judgment(held, answers(), f"key {held.pk}", at=at).pair_id
