"""Roles in a study: given, changed, taken; the last owner stays."""

import pytest
from django.db import IntegrityError, transaction

from annotation import access
from annotation.actions.members import add_member, remove_member, set_role
from annotation.errors import MemberRefused, NotAllowed, NotFound, NotQualified
from annotation.models import Event, Membership
from annotation.vocabulary import StudyRole
from tests.cast import a_rater, a_study, alice, bob, carol, dan, mallory, person

pytestmark = pytest.mark.django_db


def verbs() -> list[str]:
    return [event.verb for event in Event.objects.order_by("pk")]


def test_a_member_is_added_once_and_keeps_the_role():
    study = a_study()
    assert add_member(study, carol(), StudyRole.VIEWER, alice())
    assert not add_member(study, carol(), StudyRole.OWNER, alice())
    assert study.memberships.get(user=carol()).role == StudyRole.VIEWER
    assert verbs() == ["create_study", "add_member"]


def test_who_rates_becomes_no_member():
    study = a_study()
    a_rater(study, bob())
    with pytest.raises(NotQualified, match="“bob” rates in this study"):
        add_member(study, bob(), StudyRole.VIEWER)


def test_a_role_is_changed_and_taken_away_with_events():
    study = a_study()
    add_member(study, carol(), StudyRole.VIEWER)
    assert set_role(study, carol(), StudyRole.EDITOR) and not set_role(study, carol(), StudyRole.EDITOR)
    assert remove_member(study, carol()) and not remove_member(study, carol())
    assert verbs()[2:] == ["set_role", "remove_member"]


@pytest.mark.parametrize("leave", [remove_member, lambda *who: set_role(*who, StudyRole.VIEWER)])
def test_the_last_owner_neither_leaves_nor_steps_down(leave):
    study = a_study()
    add_member(study, carol(), StudyRole.EDITOR)
    with pytest.raises(MemberRefused, match="no owner"):
        leave(study, alice())
    set_role(study, carol(), StudyRole.OWNER)
    assert leave(study, alice())


@pytest.mark.parametrize("change", ["delete", "update"])
def test_the_database_keeps_an_owner_while_there_are_members(change):
    study = a_study()
    add_member(study, carol(), StudyRole.EDITOR)
    owner = Membership.objects.filter(study=study, user=alice())
    with pytest.raises(IntegrityError, match="membership_keeps_an_owner"), transaction.atomic():
        owner.delete() if change == "delete" else owner.update(role="viewer")
    Membership.objects.filter(user=carol()).delete()
    assert owner.delete()[0] == 1  # with the study itself


ROLES = {"alice": StudyRole.OWNER, "carol": StudyRole.EDITOR, "dan": StudyRole.VIEWER}


@pytest.mark.parametrize("name", ROLES)
def test_each_role_may_do_what_it_may_and_no_more(name):
    study = a_study()
    add_member(study, carol(), StudyRole.EDITOR)
    add_member(study, dan(), StudyRole.VIEWER)
    user = {"alice": alice, "carol": carol, "dan": dan}[name]()
    for least in StudyRole:
        if ROLES[name] in least.and_above:
            assert access.study_for(user, study.slug, least).allows(least)
        else:
            with pytest.raises(NotAllowed):
                access.study_for(user, study.slug, least)


def test_who_is_no_member_finds_nothing_whatever_they_want():
    study = a_study()
    for user in (bob(), mallory()):
        for least in StudyRole:
            with pytest.raises(NotFound):
                access.study_for(user, study.slug, least)


def test_an_administrator_acts_as_an_owner():
    root = person("root", is_staff=True, is_superuser=True)
    assert access.study_to_own(root, a_study().slug).may_own


def test_only_some_have_a_desk():
    study = a_study()
    add_member(study, carol(), StudyRole.VIEWER)
    assert access.may_use_desk(mallory()) and access.may_use_desk(carol())
    assert not access.may_use_desk(bob())


def test_studies_to_change_leaves_out_those_one_only_sees():
    study, other = a_study(), a_study("other")
    add_member(study, carol(), StudyRole.EDITOR)
    add_member(other, carol(), StudyRole.VIEWER)
    assert set(access.studies_for(carol())) == {study, other}
    assert set(access.studies_to_change(carol())) == {study}
