"""The desk's page of pairs that raters flagged."""

import pytest
from django.urls import reverse

from annotation.actions.claims import claim_next_pair, flag_assignment
from annotation.actions.enrolment import set_state
from annotation.models import Assignment, FlagAnswer, Pair
from annotation.vocabulary import EnrolmentState, FlagReason, PairState
from tests import cast
from tests.actions.test_reviewing import a_marked_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def study():
    return cast.a_rateable_study(pairs=4, overlap=2)


@pytest.fixture
def alice(client, study):
    client.force_login(cast.alice())
    return client


def flag(study, user, note="", times=1):
    rater = cast.a_rater(study, user)
    for _ in range(times):
        flag_assignment(claim_next_pair(rater), FlagReason.GARBLED, note)
    return rater


def read(client, query="", name="flags"):
    reply = client.get(reverse(f"desk:{name}", args=["kites"]) + query)
    assert reply.status_code == 200
    return reply.content.decode()


def send(client, **fields):
    address = reverse("desk:answer_flags", args=["kites"])
    return client.post(address, fields, follow=True).content.decode()


def test_a_flag_is_listed_with_rater_reason_and_note(alice, study):
    rater = flag(study, cast.bob(), "Ends <b>here</b>\u202e.")
    page = read(alice)
    assert "1 flagged pair waits for an answer." in page
    assert (
        rater.code in page
        and "Garbled or cut off" in page
        and Assignment.objects.get().pair.prompt.key in page
    )
    assert "Ends &lt;b&gt;here&lt;/b&gt;⟦U+202E⟧." in page and "\u202e" not in page
    assert ">bob<" not in page


def test_the_study_and_the_review_lead_there(alice, study):
    address = reverse("desk:flags", args=["kites"])
    assert "flagged 1 pair" not in read(alice, name="study")
    flag(study, cast.bob())
    assert "Raters flagged 1 pair as broken" in read(alice, name="study")
    assert address in read(alice, name="study") and address in read(alice, name="review")


def waiting(pairs=None):
    """The numbers of the flags that wait: what a page shows."""
    flags = Assignment.objects.filter(state="flagged", flag_answer=None)
    return list((flags if pairs is None else flags.filter(pair__in=pairs)).values_list("pk", flat=True))


def test_an_answer_is_told_kept_and_listed(alice, study):
    flag(study, cast.bob())
    pair = Assignment.objects.get().pair_id
    page = send(alice, pairs=pair, seen=waiting(), decision="hold", note="I look.")
    assert "is held for review." in page and "Everything is answered." in page
    answered = read(alice, "?kind=answered")
    assert "Hold for review, alice" in answered and "I look." in answered
    assert "waits until you decide" in read(alice, name="study")


def test_chosen_pairs_and_all_are_answered_together(alice, study):
    flag(study, cast.bob(), times=3)
    keys = list(Assignment.objects.values_list("pair_id", flat=True))
    assert "2\u00a0pairs are kept in the study." in send(
        alice, pairs=keys[:2], seen=waiting(), decision="keep"
    )
    last = Assignment.objects.latest("pk").pk
    assert "is dropped from the study." in send(alice, all="1", until=last, count=1, decision="drop")
    assert FlagAnswer.objects.count() == 3


def test_all_leaves_flags_that_came_since(alice, study):
    flag(study, cast.bob())
    known = Assignment.objects.get().pk
    flag(study, cast.carol(), times=2)
    send(alice, all="1", until=known, count=1, decision="drop")
    assert Pair.objects.filter(state=PairState.DROPPED).count() == 1


def test_a_flag_that_the_page_did_not_show_is_not_answered(alice, study):
    held = claim_next_pair(cast.a_rater(study, cast.carol()))
    while held.pair_id != (first := claim_next_pair(cast.a_rater(study, cast.bob()))).pair_id:
        flag_assignment(first, FlagReason.OTHER)
    flag_assignment(first, FlagReason.GARBLED)
    shown, count = waiting([first.pair_id]), len(waiting())
    page = read(alice)
    assert f'name="seen" value="{shown[0]}"' in page
    flag_assignment(held, FlagReason.DISPLAY)  # given before the first was, flagged after it
    assert "flagged again" in send(alice, pairs=first.pair_id, seen=shown, decision="drop")
    sent = {"all": "1", "until": max(waiting()), "count": count, "decision": "drop"}
    assert "Look again; nothing was changed." in send(alice, **sent)
    assert not FlagAnswer.objects.exists()


@pytest.mark.parametrize("fields", [{}, {"decision": "keep"}, {"pairs": "x", "decision": "keep"}])
def test_nonsense_changes_nothing(alice, study, fields):
    flag(study, cast.bob())
    assert "nothing was changed" in send(alice, **fields)
    assert not FlagAnswer.objects.exists()


def test_a_refused_answer_says_why(alice, study):
    flag(study, cast.bob())
    pair = Assignment.objects.get().pair_id
    send(alice, pairs=pair, seen=waiting(), decision="keep")
    assert "No flag of it waits for an answer." in send(alice, pairs=pair, decision="drop")


def test_the_number_of_questions_does_not_grow(alice, study, django_assert_max_num_queries):
    flag(study, cast.bob(), times=1)
    with django_assert_max_num_queries(14):
        read(alice)
    flag(study, cast.carol(), times=4)
    flag(study, cast.dan(), times=4)
    with django_assert_max_num_queries(14):
        read(alice)


def test_for_others_nothing_is_there(client, study):
    flag(study, cast.bob())
    for user in (cast.bob(), cast.mallory()):
        client.force_login(user)
        assert client.get(reverse("desk:flags", args=["kites"])).status_code == 404
        assert client.post(reverse("desk:answer_flags", args=["kites"])).status_code == 404


def test_the_study_says_who_has_only_waiting_pairs_left(client):
    client.force_login(cast.alice())
    study = a_marked_study()
    bob = cast.a_rater(study, cast.bob())
    cast.a_rater(study, cast.carol())
    assert "2 raters have nothing to judge until" in read(client, name="study")
    set_state(bob, EnrolmentState.PAUSED)
    assert "1 rater has nothing to judge until" in read(client, name="study")
