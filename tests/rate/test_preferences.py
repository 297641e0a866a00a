"""Raters choose their keys, and go back to their last answers for a while."""

import html
import json
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation.access import GRACE, preferences_of
from annotation.models import Assignment
from annotation.rate.keys import DEFAULTS
from tests.rate.conftest import Rater

ADDRESS = reverse("rate:preferences")


def store(rater: Rater, **changed):
    fields = {f"key_{name}": key for name, key in DEFAULTS.items()} | {"single_keys": "on"} | changed
    return rater.client.post(ADDRESS, {name: value for name, value in fields.items() if value is not None})


def keys_on_the_page(rater: Rater) -> dict:
    return json.loads(html.unescape(re.search(r'data-keys="([^"]*)"', rater.open().content.decode())[1]))


def test_a_key_is_another_one_on_every_page_and_sheet(bob):
    assert keys_on_the_page(bob) == DEFAULTS
    assert store(bob, key_next="x", key_skip="").status_code == 302
    assert keys_on_the_page(bob) == DEFAULTS | {"next": "x", "skip": ""}
    assert "<kbd>X</kbd></dt><dd>Next question" in bob.html


@pytest.mark.parametrize("key", ["7", "ab", "\u200b"])
def test_a_key_that_cannot_be_one_is_refused(bob, key):
    assert store(bob, key_next=key).status_code == 422
    assert preferences_of(bob.client.get(ADDRESS).wsgi_request.user).keys == {}


def test_two_actions_cannot_have_one_key(bob):
    reply = store(bob, key_next="K")
    assert reply.status_code == 422 and "Another action has this key." in reply.content.decode()


def test_single_keys_are_off_on_every_device_once_switched_off(bob):
    assert "data-single-keys" in bob.html
    bob.client.post(reverse("rate:single-keys"), {"on": "0"})
    assert "data-single-keys" not in Rater(bob.client.get(ADDRESS).wsgi_request.user).open().content.decode()
    bob.client.post(reverse("rate:single-keys"), {"on": "1"})
    assert "data-single-keys" in bob.open().content.decode()


def test_answers_can_be_corrected_for_a_while_and_then_no_more(bob):
    action = bob.action
    bob.send()
    assert reverse("rate:revise", args=[Assignment.objects.get(state="submitted").token]) in bob.html
    Assignment.objects.filter(state="submitted").update(
        submitted_at=timezone.now() - GRACE - timedelta(seconds=1)
    )
    assert f"{action}correct/" not in bob.open().content.decode()
    assert "Too late to correct" in bob.client.get(f"{action}correct/").content.decode()
    late = bob.send(f"{action}correct/", key="0" * 32)
    assert (late.status_code, "Too late to correct" in late.content.decode()) == (409, True)
    assert "for 30 minutes after they were sent" in late.content.decode()
    assert Assignment.objects.get(state="submitted").judgments.count() == 1
