"""Many people at once by one link."""

import pytest

from annotation.actions import joining
from annotation.actions.joining import Visitor
from annotation.errors import JoinRefused
from annotation.models import Arrival, Enrolment, InvitationLink, User
from tests.cast import a_rateable_study
from tests.races.test_raters import RATERS, at_once


def join_as(visitor):
    try:
        return bool(joining.join(InvitationLink.objects.get(), visitor, 0))
    except JoinRefused:
        return False


def test_a_link_lets_in_exactly_as_many_as_it_says(committed_db):
    joining.make_link(a_rateable_study(), "three places", uses_max=3)
    people = User.objects.count()
    assert sum(at_once(join_as, [Visitor()] * RATERS)) == 3
    assert InvitationLink.objects.get().uses == Enrolment.objects.count() == 3
    assert User.objects.count() == people + 3


@pytest.mark.parametrize("uses_max", [None, 1])
def test_one_person_in_many_windows_gets_one_place(committed_db, uses_max):
    joining.make_link(a_rateable_study(), "platform", person_parameter="WHO", uses_max=uses_max)
    assert sum(at_once(join_as, [Visitor("p1")] * RATERS)) == 1
    assert InvitationLink.objects.get().uses == Arrival.objects.count() == Enrolment.objects.count() == 1
