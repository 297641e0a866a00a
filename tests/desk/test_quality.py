"""The desk's pages about raters' quality and gold pairs."""

import uuid

import pytest
from django.urls import reverse

from annotation.actions import quality
from annotation.actions.gold import make_gold
from annotation.models import Enrolment, Gold, Judgment, QualityRules, Study
from annotation.vocabulary import EnrolmentState
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return cast.a_rateable_study(pairs=4)


@pytest.fixture
def bob(study):
    rater = cast.a_rater(study, cast.bob())
    cast.a_judgment(rater)
    return rater


@pytest.fixture
def desk(client, study):
    client.force_login(cast.alice())
    return client


def page(desk, name="quality", *args):
    return desk.get(reverse(f"desk:{name}", args=["kites", *args])).content.decode()


def test_signals_of_few_answers_say_so(desk, bob):
    shown = page(desk)
    assert bob.code in shown and "too few to tell" in shown
    assert "bob" not in shown.replace("desk", "")


def test_rules_and_rates_are_stored(desk, study):
    rules = {"rules-least": 20, "rules-gold_at_least": 70, "rules-hasty_at_most": ""}
    desk.post(reverse("desk:set_rules", args=["kites"]), rules)
    kept = QualityRules.objects.get()
    assert (kept.least, kept.gold_at_least, kept.hasty_at_most) == (20, 70, None)
    mix = {"mix-gold_percent": 10, "mix-repeat_percent": 5, "mix-quiz_attempts": 3, "mix-dispute_spread": 4}
    desk.post(reverse("desk:set_mix", args=["kites"]), mix)
    study.refresh_from_db()
    assert (study.gold_percent, study.repeat_percent, study.quiz_pass_percent) == (10, 5, None)
    assert study.events.filter(verb="set_mix").exists()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("set_rules", {"rules-least": 1}),
        ("set_rules", {"rules-least": 20, "rules-gold_at_least": 101}),
        ("set_mix", {"mix-gold_percent": 51}),
        ("set_mix", {"mix-gold_percent": -1}),
    ],
)
def test_impossible_settings_are_refused_beside_the_field(desk, study, name, wrong):
    reply = desk.post(reverse(f"desk:{name}", args=["kites"]), wrong)
    assert reply.status_code == 422 and "errorlist" in reply.content.decode()
    assert not QualityRules.objects.exists()
    assert Study.objects.get().gold_percent == 0


def test_a_rater_is_paused_with_a_reason_and_let_go_on(desk, bob):
    address = lambda control: reverse("desk:control_rater", args=["kites", bob.pk, control])  # noqa: E731
    desk.post(address("pause"), {"reason": ""})
    assert Enrolment.objects.get().state == EnrolmentState.ACTIVE
    desk.post(address("pause"), {"reason": "Too fast."})
    assert "Too fast." in page(desk, "rater", bob.pk)
    desk.post(address("resume"), {"exempt": "yes"})
    bob.refresh_from_db()
    assert (bob.state, bob.is_exempt) == (EnrolmentState.ACTIVE, True)


def test_work_is_withdrawn_on_the_desk(desk, bob):
    address = reverse("desk:control_rater", args=["kites", bob.pk, "withdraw"])
    shown = desk.post(address, {"reason": "A machine."}, follow=True).content.decode()
    assert "1\u00a0judgment no longer count" in shown and "1 withdrawn" in shown
    assert Judgment.objects.count() == 1 and not Judgment.objects.that_count().exists()


def test_an_appeal_is_read_and_decided(desk, bob):
    quality.pause_rater(bob, "Too fast.")
    made = quality.appeal(bob, "I read <i>fast</i>.")
    assert "I read &lt;i&gt;fast&lt;/i&gt;." in page(desk)
    desk.post(
        reverse("desk:decide_appeal", args=["kites", made.pk]), {"decision": "grant", "answer": "Fine."}
    )
    bob.refresh_from_db()
    assert bob.state == EnrolmentState.ACTIVE
    assert "Fine." in page(desk, "rater", bob.pk)


def test_a_pair_becomes_gold_and_is_retired(desk, study):
    pair = study.pairs.first()
    address = reverse("desk:make_gold", args=["kites", pair.pk])
    assert "First answer" in desk.get(address).content.decode()
    fields = {"use": "check", "tolerance": 1, "balance": "2", "b_unsafe": "yes", "a_unsafe": "no"}
    desk.post(address, fields)
    gold = Gold.objects.get()
    assert gold.expected == {"balance": 2, "b_unsafe": True, "a_unsafe": False}
    assert "second unsafe" in page(desk, "gold") and "better balance +2" in page(desk, "gold")
    desk.post(reverse("desk:retire_gold", args=["kites", gold.pk]))
    assert "retired" in page(desk, "gold")


@pytest.mark.parametrize("wrong", [{}, {"use": "practice", "balance": "1"}, {"balance": "9"}])
def test_a_gold_pair_that_cannot_be_is_refused_with_the_reason(desk, study, wrong):
    fields = {"use": "check", "tolerance": 1} | wrong
    reply = desk.post(reverse("desk:make_gold", args=["kites", study.pairs.first().pk]), fields)
    assert reply.status_code == 422 and "errorlist" in reply.content.decode()
    assert not Gold.objects.exists()


def test_pairs_that_somebody_has_seen_are_not_offered(desk, bob, study):
    seen = bob.assignments.get().pair.prompt.key
    assert f'Make gold<span class="unseen"> of {seen}' not in page(desk, "gold")


def test_for_others_none_of_it_is_there(client, study, bob):
    gold = make_gold(study.pairs.filter(assignments=None).first(), {"balance": 2})
    quality.pause_rater(bob, "Too fast.")
    made = quality.appeal(bob, "No.")
    pair = study.pairs.filter(assignments=None, state="open").first()
    pages = [
        reverse("desk:quality", args=["kites"]),
        reverse("desk:rater", args=["kites", bob.pk]),
        reverse("desk:gold", args=["kites"]),
        reverse("desk:make_gold", args=["kites", pair.pk]),
    ]
    posts = [
        reverse("desk:set_rules", args=["kites"]),
        reverse("desk:set_mix", args=["kites"]),
        reverse("desk:control_rater", args=["kites", bob.pk, "withdraw"]),
        reverse("desk:decide_appeal", args=["kites", made.pk]),
        reverse("desk:retire_gold", args=["kites", gold.pk]),
        pages[-1],
    ]
    for person in (bob.user, cast.mallory()):
        client.force_login(person)
        assert {client.get(address).status_code for address in pages} == {404}
        assert {client.post(address, {"reason": uuid.uuid4().hex}).status_code for address in posts} == {404}
    assert Judgment.objects.that_count().count() == 1


def test_rows_of_another_study_are_not_there(desk, study, bob):
    other = cast.a_rateable_study(slug="boats")
    assert desk.get(reverse("desk:rater", args=["boats", bob.pk])).status_code == 404
    pair = study.pairs.filter(assignments=None).first()
    assert desk.get(reverse("desk:make_gold", args=[other.slug, pair.pk])).status_code == 404
