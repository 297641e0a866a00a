"""Links, consent, and being done."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation import access
from annotation.actions import joining
from annotation.actions.claims import (
    claim_next_pair,
    decline_assignment,
    flag_assignment,
    skip_assignment,
    take_up_skipped,
)
from annotation.actions.flagging import answer_flags
from annotation.actions.joining import Visitor
from annotation.actions.judging import submit_and_claim
from annotation.actions.studies import set_state
from annotation.errors import AlreadyJoined, DomainError, JoinRefused, NotReady
from annotation.models import Arrival, Consent, ConsentVersion, Enrolment, InvitationLink, User
from annotation.vocabulary import FlagDecision, FlagReason, StudyState
from tests import cast

pytestmark = pytest.mark.django_db

PLATFORM = {"person_parameter": "PROLIFIC_PID", "study_parameter": "STUDY_ID"}


def a_link(study=None, **rules):
    return joining.make_link(study or cast.a_rateable_study(), "poster", **rules)[0]


def test_a_link_keeps_a_digest_of_its_secret_and_nothing_else():
    link, secret = joining.make_link(cast.a_rateable_study(), "poster")
    assert len(secret) == 48
    assert secret not in str(InvitationLink.objects.values().get())


def test_joining_makes_an_account_without_a_password_and_a_pseudonym():
    enrolment, code = joining.join(a_link(), Visitor(), 0)
    assert not enrolment.user.has_usable_password()
    assert enrolment.user.username.startswith("guest-") and not enrolment.user.is_staff
    assert code not in str(Arrival.objects.values().get())
    assert claim_next_pair(enrolment)


def test_somebody_logged_in_joins_with_their_account():
    enrolment, _ = joining.join(a_link(), Visitor(), 0, user=cast.bob())
    assert enrolment.user == cast.bob()


def test_a_researcher_cannot_join_what_they_see_on_the_desk():
    with pytest.raises(DomainError, match="arms"):
        joining.join(a_link(), Visitor(), 0, user=cast.alice())


@pytest.mark.parametrize(
    ("rules", "close"),
    [
        ({"expires_at": timezone.now() - timedelta(minutes=1)}, None),
        ({"uses_max": 1}, lambda link: joining.join(link, Visitor(), 0)),
        ({}, joining.revoke_link),
        ({}, lambda link: set_state(link.study, StudyState.CLOSED)),
        ({}, lambda link: link.study.pairs.update(open_slots=0)),
    ],
)
def test_a_link_that_is_over_lets_nobody_in_and_keeps_nothing(rules, close):
    link = a_link(**rules)
    if close:
        close(link)
    link.refresh_from_db()
    before = User.objects.count(), Enrolment.objects.count(), link.uses
    assert joining.why_closed(link)
    with pytest.raises(JoinRefused):
        joining.join(link, Visitor(), 0)
    link.refresh_from_db()
    assert (User.objects.count(), Enrolment.objects.count(), link.uses) == before


def test_what_is_only_held_is_told_from_what_is_done():
    study = cast.a_rateable_study(pairs=1, overlap=1)
    rater = cast.a_rater(study, cast.bob())
    held = claim_next_pair(rater)
    link = a_link(study)
    assert "in a while" in joining.why_closed(link)
    submit_and_claim(held, cast.answers(), "key")
    assert "has been rated" in joining.why_closed(link)


def test_uses_never_go_beyond_the_most():
    link = a_link(uses_max=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        InvitationLink.objects.filter(pk=link.pk).update(uses=2)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.example", "ftp://one.example"])
def test_the_way_back_is_http_whatever_the_code_does(address):
    with pytest.raises(IntegrityError), transaction.atomic():
        a_link(completion_url=address)


# Platforms -------------------------------------------------------------------------------------------


def test_a_platform_names_the_person_and_each_gets_one_place():
    link = a_link(**PLATFORM)
    joining.join(link, Visitor("p1"), 0)
    joining.join(link, Visitor("p2"), 0)
    assert Arrival.objects.get(person="p1").enrolment_id != Arrival.objects.get(person="p2").enrolment_id


def test_naming_somebody_who_came_opens_nothing():
    link = a_link(**PLATFORM)
    joining.join(link, Visitor("p1", session="s1"), 0)
    with pytest.raises(AlreadyJoined):
        joining.join(link, Visitor("p1", session="s1"), 0)
    other, _ = joining.make_link(link.study, "another link of the study", **PLATFORM)
    with pytest.raises(AlreadyJoined):
        joining.join(other, Visitor("p1"), 0)
    assert Enrolment.objects.count() == 1


def test_the_same_person_may_rate_in_another_study():
    joining.join(a_link(**PLATFORM), Visitor("p1"), 0)
    joining.join(a_link(cast.a_rateable_study(slug="boats"), **PLATFORM), Visitor("p1"), 0)
    assert Enrolment.objects.count() == 2


def test_a_platforms_link_needs_a_person_of_its_own_study():
    link = a_link(**PLATFORM, platform_study="mine")
    for visitor in (Visitor(), Visitor(study="mine"), Visitor("p1", study="other")):
        with pytest.raises(JoinRefused):
            joining.join(link, visitor, 0)
    assert joining.join(link, Visitor("p1", study="mine"), 0)


# Consent ---------------------------------------------------------------------------------------------


def test_nobody_gets_a_pair_before_they_agreed_to_the_newest_wording():
    study = cast.a_rateable_study(pairs=3)
    rater = cast.a_rater(study, cast.bob())
    joining.add_consent_version(study, "Be kind.")
    with pytest.raises(NotReady):
        claim_next_pair(rater)
    joining.give_consent(rater, 1)
    held = claim_next_pair(rater)
    joining.add_consent_version(study, "Be kinder.")
    _, following, _ = submit_and_claim(held, cast.answers(), "key")
    assert following is None
    with pytest.raises(NotReady):
        claim_next_pair(rater)
    joining.give_consent(rater, 2)
    assert claim_next_pair(rater)
    assert list(Consent.objects.values_list("version__version", flat=True)) == [1, 2]


def test_agreeing_twice_is_one_consent_and_agreeing_to_an_old_wording_none():
    study = cast.a_rateable_study()
    rater = cast.a_rater(study, cast.bob())
    joining.add_consent_version(study, "Be kind.")
    assert [joining.give_consent(rater, 1), joining.give_consent(rater, 1)] == [True, False]
    joining.add_consent_version(study, "Be kinder.")
    with pytest.raises(JoinRefused):
        joining.give_consent(rater, 1)
    assert Consent.objects.count() == 1


def test_who_joins_with_the_old_wording_before_their_eyes_gets_no_place():
    link = a_link()
    joining.add_consent_version(link.study, "Be kind.")
    with pytest.raises(JoinRefused):
        joining.join(link, Visitor(), 0)
    assert not Enrolment.objects.exists()
    joining.join(link, Visitor(), 1)
    assert Consent.objects.count() == 1


def test_consents_and_their_wordings_are_never_changed():
    study = cast.a_rateable_study()
    joining.add_consent_version(study, "Be kind.")
    joining.give_consent(cast.a_rater(study, cast.bob()), 1)
    for change in (
        lambda: ConsentVersion.objects.update(body="Be mean."),
        lambda: Consent.objects.update(id=7),
    ):
        with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
            change()


# Being done ------------------------------------------------------------------------------------------


def test_a_rater_is_done_when_nothing_more_comes_to_them():
    study = cast.a_rateable_study(pairs=2)
    rater = cast.a_rater(study, cast.bob())
    assert not joining.is_done(rater)
    cast.a_judgment(rater)
    rater.refresh_from_db()
    assert not joining.is_done(rater)
    cast.a_judgment(rater)
    assert joining.is_done(rater)


def test_a_rater_is_done_at_the_cap_in_all_and_not_at_the_days():
    study = cast.a_rateable_study(pairs=3, cap_per_day=1)
    rater = cast.a_rater(study, cast.bob())
    cast.a_judgment(rater)
    rater.refresh_from_db()
    assert not joining.is_done(rater)
    Enrolment.objects.filter(pk=rater.pk).update(cap_total=1)
    assert joining.is_done(Enrolment.objects.get(pk=rater.pk))


def test_a_rater_of_a_closed_study_is_done_if_they_judged_anything():
    study = cast.a_rateable_study(pairs=3)
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    cast.a_judgment(bob)
    set_state(study, StudyState.CLOSED)
    assert joining.is_done(Enrolment.objects.get(pk=bob.pk))
    assert not joining.is_done(Enrolment.objects.get(pk=carol.pk))


def test_who_skips_the_rest_is_not_done_until_they_or_others_have_dealt_with_it():
    study = cast.a_rateable_study(pairs=2, overlap=1)
    rater = cast.a_rater(study, cast.bob())
    cast.a_judgment(rater)
    skip_assignment(claim_next_pair(rater))
    rater.refresh_from_db()
    assert not joining.is_done(rater)
    take_up_skipped(rater)
    decline_assignment(claim_next_pair(rater))
    assert joining.is_done(rater)


def test_a_skipped_pair_that_nobody_gets_any_more_is_not_waited_for():
    study = cast.a_rateable_study(pairs=2, overlap=1)
    rater = cast.a_rater(study, cast.bob())
    cast.a_judgment(rater)
    skip_assignment(skipped := claim_next_pair(rater))
    rater.refresh_from_db()
    assert access.skipped_with_room(rater) == 1
    flag_assignment(claim_next_pair(cast.a_rater(study, cast.carol())), FlagReason.OTHER)
    assert answer_flags(study, [skipped.pair_id], FlagDecision.HOLD).pairs
    assert access.skipped_with_room(rater) == 0 and joining.is_done(rater)


def test_what_a_rater_does_not_want_to_get_keeps_nobody_from_being_done():
    study = cast.a_rateable_study(pairs=2)
    rater = cast.a_rater(study, cast.bob())
    judged = cast.a_judgment(rater).pair
    study.prompts.exclude(pk=judged.prompt_id).update(harm_category="hate")
    rater.refresh_from_db()
    assert not joining.is_done(rater)
    Enrolment.objects.filter(pk=rater.pk).update(opted_out=["hate"])
    assert joining.is_done(Enrolment.objects.get(pk=rater.pk))
