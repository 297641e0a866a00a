"""The desk's pages of tokens and webhooks."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from annotation import tasks
from annotation.actions import enrolment, webhooks
from annotation.models import ApiToken, Delivery, Webhook
from annotation.vocabulary import EnrolmentState
from tests import cast

pytestmark = pytest.mark.django_db
URL = "https://receiver.example/hook"
HOOKS = "/desk/kites/webhooks/"


def logged_in(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def alice() -> Client:
    return logged_in(cast.alice())


def test_a_new_token_is_shown_once_and_opens(alice):
    made = alice.post("/tokens/", {"name": "Laptop", "scopes": ["read", "export"], "days": "7"})
    secret = re.search(r"<code>(eh_[\w-]+)</code>", made.content.decode())[1]
    assert secret not in alice.get("/tokens/").content.decode()
    answer = Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/v1/studies/")
    assert answer.status_code == 200 and "no-store" in made["Cache-Control"]
    assert ApiToken.objects.get().scopes == ["read", "export"]


@pytest.mark.parametrize(
    "given",
    [{"scopes": ["read"], "days": "7"}, {"name": "x", "days": "7"}, {"name": "x", "scopes": ["root"]}],
)
def test_a_token_without_a_name_a_scope_or_an_end_is_not_made(alice, given):
    assert alice.post("/tokens/", given).status_code == 422
    assert not ApiToken.objects.exists()


def test_a_token_is_revoked_by_its_person_alone(alice):
    cast.a_token(cast.alice())
    address = f"/tokens/{ApiToken.objects.get().pk}/revoke/"
    assert logged_in(cast.mallory()).post(address).status_code == 404
    assert ApiToken.objects.valid(timezone.now()).exists()
    assert alice.post(address).status_code == 302
    assert not ApiToken.objects.valid(timezone.now()).exists()


def test_a_rater_has_tokens_for_rating():
    page = logged_in(cast.bob()).get("/tokens/").content.decode()
    assert re.search(r'value="rate"[^>]* checked', page) and not re.search(r'value="read"[^>]* checked', page)


def test_an_address_is_told_of_what_was_chosen_and_its_secret_shown_once(alice):
    cast.a_study()
    made = alice.post(HOOKS, {"url": URL, "events": ["rater.paused"]}).content.decode()
    webhook = Webhook.objects.get()
    assert webhook.secret in made and webhook.events == ["rater.paused"]
    page = alice.get(HOOKS).content.decode()
    assert webhook.secret not in page
    listed = re.search(r'<ul class="rows">.*?</ul>', page, re.DOTALL)[0]
    assert "A rater was paused" in listed and '<code class="muted">rater.paused</code>' in listed


def test_an_address_inside_is_refused_with_the_reason(alice):
    cast.a_study()
    page = alice.post(HOOKS, {"url": "http://10.0.0.1/", "events": ["rater.paused"]})
    assert page.status_code == 422 and "not a public address" in page.content.decode()
    assert not Webhook.objects.exists()


def test_deliveries_are_listed_and_sent_again(alice, monkeypatch):
    asked = []
    monkeypatch.setattr(tasks.send_delivery, "delay", asked.append)
    study = cast.a_rateable_study()
    webhook = webhooks.make_webhook(study, URL, ["rater.paused"])
    enrolment.set_state(cast.a_rater(study, cast.bob()), EnrolmentState.PAUSED)
    Delivery.objects.update(state="failed", last_error="It answered with status 500.", attempts=8)
    page = alice.get(f"{HOOKS}{webhook.pk}/").content.decode()
    assert "Given up" in page and "status 500" in page
    delivery = Delivery.objects.get()
    alice.post(f"{HOOKS}{webhook.pk}/deliveries/{delivery.pk}/resend/")
    delivery.refresh_from_db()
    assert (delivery.state, asked) == ("waiting", [delivery.pk])


def test_an_address_is_switched_off_and_on_and_removed(alice):
    webhook = webhooks.make_webhook(cast.a_study(), URL, ["rater.paused"])
    for control, is_on in (("off", False), ("on", True)):
        alice.post(f"{HOOKS}{webhook.pk}/{control}/")
        webhook.refresh_from_db()
        assert webhook.is_on is is_on
    alice.post(f"{HOOKS}{webhook.pk}/remove/")
    assert not Webhook.objects.exists()


def test_another_studys_researcher_finds_none_of_it():
    webhook = webhooks.make_webhook(cast.a_study(), URL, ["rater.paused"])
    mallory = logged_in(cast.mallory())
    assert mallory.get(HOOKS).status_code == 404
    assert mallory.get(f"{HOOKS}{webhook.pk}/").status_code == 404
    assert mallory.post(f"{HOOKS}{webhook.pk}/remove/").status_code == 404
    assert Webhook.objects.exists()


def test_the_page_of_the_api_lists_every_operation_with_examples(client):
    page = client.get("/api/v1/docs/").content.decode()
    assert page.count('class="way"') > 100 and "/api/v1/studies/{slug}/claim" in page
    assert "How does a sailing boat turn?" in page and "<script>" not in page
