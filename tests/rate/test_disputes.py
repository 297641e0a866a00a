"""A senior rater decides what others dispute: first alone, then with the others' answers."""

import random
import re
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from annotation import access
from annotation.actions import adjudicating
from annotation.actions.claims import claim_next_pair, release_expired_leases
from annotation.actions.judging import submit_judgment
from annotation.errors import NotFound, NotQualified, QualityRefused
from annotation.models import Adjudication, Assignment, Event, Judgment, Study
from annotation.reports.disputes import disputed_pairs, disputes_report, ready_pairs, waiting_disputes
from annotation.reports.rows import Answers
from annotation.stats.disputes import PAIR_QUESTIONS, Said, disputed_questions
from annotation.vocabulary import UNSAFE_LEVELS, AssignmentState, DisputeCause, EnrolmentRole
from tests import cast
from tests.rate.conftest import Rater, page_of
from tests.rate.test_blindness import SECRETS, a_telling_study, everything

pytestmark = pytest.mark.django_db


def judge(rater, balance, **more):
    """Judge the next pair with this balance in favour of response b."""
    held = claim_next_pair(rater)
    shown = balance if held.left_is_a else -balance
    return submit_judgment(held, cast.answers(balance=shown, **more), uuid.uuid4().hex)


@pytest.fixture
def study():
    """One pair that two raters dispute, and one on which they agree."""
    study = cast.a_rateable_study(pairs=2)
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    for balances in ((3, -3), (2, 2)):
        judge(bob, balances[0], rationale="The one says more.")
        judge(carol, balances[1])
    return study


@pytest.fixture
def senior(study):
    rater = cast.a_rater(study, cast.dan())
    adjudicating.set_role(rater, EnrolmentRole.SENIOR, cast.alice())
    return rater


def waiting(study) -> list[int]:
    return [pk for some in waiting_disputes(ready_pairs(study), study) for pk in some]


def page_of_disputes():
    return reverse("rate:disputes", args=["kites"])


def test_only_what_is_disputed_waits(study):
    report = disputes_report(study)
    assert (report.judged_twice, len(report.disputes), report.waiting) == (2, 1, 1)
    assert report.disputes[0].questions == ("balance",)
    assert waiting(study) == [report.disputes[0].pair]
    Study.objects.update(dispute_spread=6)
    assert len(disputes_report(Study.objects.get()).disputes) == 1


def test_a_pair_that_still_wants_judgments_waits_for_them_first(study):
    study.pairs.update(open_slots=1)
    assert disputes_report(study).waiting == 1 and waiting(study) == []


@pytest.mark.parametrize("htmx", [False, True])
def test_a_senior_judges_first_and_then_sees_what_others_said(study, senior, htmx):
    before = list(Judgment.objects.values())
    dan = Rater(senior.user, htmx)
    dan.shown = dan.client.get(page_of_disputes())
    assert "Dispute." in dan.html and "The one says more." not in dan.html
    held = Assignment.objects.leased().get()
    assert dan.client.get(reverse("rate:dispute", args=[held.token])).status_code == 404
    dan.send()
    dan.shown = dan.client.get(dan.shown.url)
    assert "The one says more." in dan.html and dan.html.count("Clearly safe, Partial answer") == 4
    assert dan.client.get(page_of_disputes()).url == reverse("rate:dispute", args=[held.token])
    address = reverse("rate:dispute", args=[held.token])
    assert dan.client.post(address, {"cause": "guess"}).status_code == 422
    assert (
        dan.client.post(address, {"cause": "guideline", "note": "Silent on jokes."}).url == page_of_disputes()
    )
    assert "No dispute waits" in dan.client.get(page_of_disputes()).content.decode()
    ruling = Adjudication.objects.get()
    assert (ruling.cause, ruling.note) == (DisputeCause.GUIDELINE, "Silent on jokes.")
    assert list(Judgment.objects.exclude(enrolment=senior).values()) == before
    assert Judgment.objects.that_count().count() == len(Answers.of_study(study).of_pairs) == 4
    report = disputes_report(study)
    assert (report.waiting, report.causes) == (0, (("The guideline is unclear or silent here", 1),))
    assert report.disputes[0].senior == senior.code
    assert Event.objects.filter(verb="rule").count() == 1


def test_the_others_answers_are_turned_to_the_sides_as_the_senior_saw_them(study, senior):
    held = adjudicating.claim_dispute(senior)
    for left_is_a in (True, False):
        Assignment.objects.filter(pk=held.pk).update(left_is_a=left_is_a)
        held = access.assignment_for(senior.user, held.token)
        if held.state != AssignmentState.SUBMITTED:
            submit_judgment(held, cast.answers(), "key")
            held = access.assignment_for(senior.user, held.token)
        shown = {judgment.rationale: judgment.balance for judgment in access.blind_judgments(held)}
        assert shown["The one says more."] == (3 if left_is_a else -3)


def test_nothing_is_shown_before_the_seniors_own_answers(study, senior):
    held = adjudicating.claim_dispute(senior)
    with pytest.raises(NotFound):
        access.blind_judgments(held)
    with pytest.raises(QualityRefused):
        adjudicating.rule(held, DisputeCause.SLIP)


def test_who_judged_a_pair_does_not_decide_about_it(study):
    bob = study.enrolments.get(user=cast.bob())
    adjudicating.set_role(bob, EnrolmentRole.SENIOR)
    assert adjudicating.claim_dispute(bob) is None


def test_disputes_are_for_senior_raters(study):
    carol = study.enrolments.get(user=cast.carol())
    with pytest.raises(NotQualified):
        adjudicating.claim_dispute(carol)
    assert Rater(carol.user).client.get(page_of_disputes()).status_code == 404


def test_a_dispute_is_with_one_senior_at_a_time(study, senior):
    held = adjudicating.claim_dispute(senior)
    assert adjudicating.claim_dispute(senior).pk == held.pk
    other = cast.a_rater(study, cast.person("erin"))
    adjudicating.set_role(other, EnrolmentRole.SENIOR)
    assert adjudicating.claim_dispute(other) is None
    release_expired_leases(timezone.now() + timedelta(days=1))
    assert adjudicating.claim_dispute(other)
    late = submit_judgment(held, cast.answers(), "late")
    assert late.assignment.state == AssignmentState.SURPLUS
    with pytest.raises(IntegrityError, match="adjudicated_once|assignment.pair_id"), transaction.atomic():
        Assignment.objects.filter(pk=held.pk).update(state=AssignmentState.SUBMITTED)


def test_a_senior_may_hold_a_dispute_beside_a_pair_of_the_queue(study, senior):
    study.pairs.filter(pk=disputes_report(study).disputes[0].pair).update(overlap=2)
    more = cast.a_prompt(study, "kites-9")
    for arm in study.arms.all():
        cast.a_response(more, arm)
    cast.make_pairs(study)
    assert claim_next_pair(senior).pk != adjudicating.claim_dispute(senior).pk
    assert claim_next_pair(senior).kind == "rated"


def test_a_ruling_is_made_once(study, senior):
    held = adjudicating.claim_dispute(senior)
    submit_judgment(held, cast.answers(), "key")
    held.refresh_from_db()
    adjudicating.rule(held, DisputeCause.SLIP)
    with pytest.raises(QualityRefused):
        adjudicating.rule(held, DisputeCause.VALUES)
    assert Adjudication.objects.get().cause == DisputeCause.SLIP


def test_no_page_of_a_dispute_tells_an_arm_or_who_the_others_are():
    study = a_telling_study()
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    judge(bob, 3)
    judge(carol, -3)
    rater = cast.a_rater(study, cast.dan())
    adjudicating.set_role(rater, EnrolmentRole.SENIOR)
    dan = Rater(rater.user)
    replies = [dan.client.get(reverse("rate:home")), dan.client.get(page_of_disputes())]
    dan.shown = replies[-1]
    replies.append(dan.send())
    address = replies[-1].url
    replies += [dan.client.get(address), dan.client.post(address, {"cause": "no"})]
    replies += [dan.client.post(address, {"cause": "slip"}), dan.client.get(page_of_disputes())]
    replies.append(dan.client.get(page_of()))
    people = (bob.code, carol.code, "bob", "carol")
    for reply in replies:
        told = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", everything(reply))
        assert [secret for secret in (*SECRETS, *people) if secret in told] == []
        assert "no-store" in reply["Cache-Control"]


def test_the_desk_shows_disputes_and_makes_seniors(client, study, senior):
    client.force_login(cast.alice())
    shown = client.get(reverse("desk:disputes", args=["kites"])).content.decode()
    assert "1 of 2 pairs disputed" in shown and "which balances better" in shown and senior.code in shown
    client.post(reverse("desk:control_rater", args=["kites", senior.pk, "rater"]))
    senior.refresh_from_db()
    assert senior.role == EnrolmentRole.RATER
    client.post(reverse("desk:control_rater", args=["kites", senior.pk, "senior"]))
    senior.refresh_from_db()
    assert senior.role == EnrolmentRole.SENIOR
    client.force_login(cast.mallory())
    assert client.get(reverse("desk:disputes", args=["kites"])).status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("spread", [1, 3, 6])
def test_the_database_finds_the_disputes_that_their_definition_finds(db, spread):
    """`stats.disputes` says what a dispute is; here each pair's judgments are read one by one for it."""
    study = cast.a_rateable_study(pairs=12, overlap=3, slug="many", dispute_spread=spread)
    dice = random.Random(spread)
    for name in ("r1", "r2", "r3"):
        rater = cast.a_rater(study, cast.person(name))
        for _ in range(dice.randint(6, 12)):
            sides = [dice.choice([cast.SAFE, cast.SAFE, cast.UNSAFE]) for _ in range(2)]
            steps = [dice.randint(-3, 3) for _ in range(3)]
            bad = dice.random() < 0.2
            cast.a_judgment(rater, cast.answers(*sides, *steps[:2], None if bad else steps[2], both_bad=bad))
    expected = {}
    for pair in study.pairs.all():
        said = Said()
        for judgment in pair.judgments.that_count():
            for name in PAIR_QUESTIONS:
                if (step := getattr(judgment, f"{name}_canonical")) is not None:
                    said.steps.setdefault(name, []).append(step)
            for part in judgment.responses.all():
                said.unsafe.setdefault(part.response_id, []).append(part.safety in UNSAFE_LEVELS)
        if questions := disputed_questions(said.steps, said.unsafe, spread):
            expected[pair.pk] = questions
    assert expected and disputed_pairs(study) == expected
    assert disputed_pairs(study, list(expected)[:2]) == dict(list(expected.items())[:2])
