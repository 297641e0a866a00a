"""Raters join a study and are paused."""

import pytest
from django.test import override_settings

from annotation import tasks
from annotation.actions.claims import claim_next_pair
from annotation.actions.enrolment import enrol, pause_researchers, pseudonym, set_state
from annotation.actions.members import add_member
from annotation.errors import NotQualified
from annotation.models import Enrolment, Event, User
from annotation.vocabulary import EnrolmentState, StudyRole
from tests.cast import a_rateable_study, a_rater, a_study, alice, bob, mallory, person

pytestmark = pytest.mark.django_db


def test_enrolling_twice_gives_one_place():
    study = a_study()
    assert enrol(study, bob()) == enrol(study, bob())
    assert Event.objects.filter(verb="enrol").count() == 1


def test_a_code_cannot_be_computed_without_the_secret_key():
    study = a_study()
    code = pseudonym(study, "user 1")
    assert code == pseudonym(study, "user 1") != pseudonym(study, "user 2")
    with override_settings(SECRET_KEY="another installation's"):
        assert pseudonym(study, "user 1") != code


def test_a_rater_has_another_code_in_every_study():
    assert enrol(a_study("one"), bob()).code != enrol(a_study("two"), bob()).code


def test_pausing_a_rater_is_on_record_once():
    rater = enrol(a_study(), bob())
    assert set_state(rater, EnrolmentState.PAUSED, alice())
    assert not set_state(rater, EnrolmentState.PAUSED, alice())
    assert Enrolment.objects.get().state == EnrolmentState.PAUSED
    event = Event.objects.get(verb="set_rater_state")
    assert event.detail == {"rater": rater.code, "state": "paused"}
    assert event.actor == alice()


def test_who_sees_the_arms_does_not_rate_them():
    study = a_study()
    for who in (alice(), person("root", is_staff=True, is_superuser=True)):
        with pytest.raises(NotQualified, match="cannot judge them blind"):
            enrol(study, who)
    assert enrol(study, mallory())  # a researcher, but of other studies
    assert not Enrolment.objects.filter(user=alice()).exists()


def test_a_rater_becomes_a_researcher_once_paused_and_rates_no_more():
    study, researcher = a_study(), mallory()
    place = enrol(study, researcher)
    with pytest.raises(NotQualified, match="“mallory” rates in this study"):
        add_member(study, researcher, StudyRole.VIEWER)
    set_state(place, EnrolmentState.PAUSED)
    assert add_member(study, researcher, StudyRole.VIEWER)
    with pytest.raises(NotQualified, match="cannot judge them blind"):
        set_state(place, EnrolmentState.ACTIVE)
    assert Enrolment.objects.get().state == EnrolmentState.PAUSED


@pytest.mark.parametrize("how", ["named", "superuser"])
def test_a_rater_who_became_a_researcher_gets_no_more_pairs_and_is_told_why(how):
    study = a_rateable_study()
    rater = a_rater(study, bob())
    assert pause_researchers() == 0
    User.objects.filter(username="bob").update(is_staff=True, is_superuser=how == "superuser")
    if how == "named":
        assert pause_researchers() == 0
        study.memberships.create(user=bob(), role=StudyRole.VIEWER)
    tasks.apply_quality_rules()
    with pytest.raises(NotQualified, match="one of this study's researchers"):
        claim_next_pair(rater)
    assert pause_researchers() == 0
