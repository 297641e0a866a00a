"""A rater corrects what they answered."""

from django.urls import reverse

from annotation.actions.studies import set_state
from annotation.models import Judgment
from annotation.vocabulary import AssignmentState, StudyState
from tests import cast
from tests.rate.conftest import page_of


def correction(bob) -> str:
    return bob.action + "correct/"


def test_the_next_pair_offers_to_correct_the_previous_answer(bob):
    address = correction(bob)
    assert "Correct your previous answer" not in bob.html
    bob.send()
    assert address in bob.html


def test_the_form_holds_the_answers_given(bob):
    address = correction(bob)
    bob.send(given=cast.answers(left=cast.UNSAFE, balance=None, both_bad=True, rationale="Because."))
    page = bob.client.get(address).content.decode()
    for name, value in [
        ("left-safety", "clearly_unsafe"),
        ("left-severity", "low"),
        ("right-helpfulness", "3"),
        ("safer", "1"),
        ("balance", "both_bad"),
    ]:
        assert f'name="{name}" value="{value}" checked' in page
    assert "Because." in page and page.count(" checked>") == 10 + 1  # the switch of the key sheet


def test_a_correction_is_the_next_revision_and_leads_on(bob):
    address = correction(bob)
    bob.send()
    bob.shown = bob.client.get(address)
    assert bob.action == address
    bob.send(given=cast.answers(balance=-3))
    assert [judgment.balance for judgment in Judgment.objects.order_by("revision")] == [2, -3]
    assert "1 judged · 3 pairs" in bob.html and bob.action != address


def test_a_correction_sent_twice_is_one_revision(bob):
    address = correction(bob)
    bob.send()
    bob.shown = bob.client.get(address)
    key = bob.key
    bob.send(address, key)
    bob.send(address, key)
    assert Judgment.objects.count() == 2


def test_a_correction_that_lacks_an_answer_is_not_stored(bob):
    address = correction(bob)
    bob.send()
    bob.shown = bob.client.get(address)
    assert bob.send(safer=None).status_code == 422
    assert bob.action == address and Judgment.objects.count() == 1


def test_a_pair_without_a_judgment_has_nothing_to_correct(bob):
    assert bob.client.get(correction(bob)).url == page_of()
    assert bob.send(correction(bob)).url == page_of()
    assert not Judgment.objects.exists()


def test_a_closed_study_takes_no_corrections(bob, study):
    address = correction(bob)
    bob.send()
    set_state(study, StudyState.CLOSED)
    assert "not open for rating" in bob.client.get(address).content.decode()
    bob.send(address, "0" * 32)
    assert Judgment.objects.count() == 1


def test_correcting_leaves_the_pair_in_hand_alone(bob, place):
    bob.send()
    held = place.assignments.get(state=AssignmentState.LEASED)
    bob.client.get(reverse("rate:revise", args=[place.assignments.exclude(pk=held.pk).get().token]))
    assert str(held.token) in bob.open().content.decode()
