"""Two people change a study, or who has a part in it, at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import close_old_connections, connection, transaction
from django.test import Client

from annotation.actions.enrolment import enrol
from annotation.actions.enrolment import set_state as set_place
from annotation.actions.members import accept, add_member, invite
from annotation.actions.people import forget_person
from annotation.actions.removing import archive_study, delete_study
from annotation.actions.studies import set_state
from annotation.errors import DomainError, NotQualified, StudyRefused
from annotation.models import Enrolment, Membership, Study
from annotation.vocabulary import EnrolmentState, StudyRole, StudyState
from tests import cast
from tests.api.story import as_person
from tests.api.test_tokens import JSON, STUDIES
from tests.desk.test_meanwhile import opened, sent

UNCOMMITTED_FOR = 0.5
"""Seconds that the first waits with its commit for one that does not wait for it."""


def while_uncommitted(first, second):
    """What both come to, a value or a refusal: `second` begins when `first` has done all but commit."""
    begun, ended = threading.Event(), threading.Event()

    def hold():
        try:
            with transaction.atomic():
                found = outcome(first)
                begun.set()
                ended.wait(UNCOMMITTED_FOR)
        finally:
            begun.set()  # a failure is told, and not waited for
        return found

    def follow():
        begun.wait()
        try:
            return outcome(second)
        finally:
            ended.set()

    with ThreadPoolExecutor(2) as threads:
        works = [threads.submit(on_a_connection, work) for work in (hold, follow)]
        return [work.result() for work in works]


def on_a_connection(work):
    close_old_connections()
    try:
        return work()
    finally:
        connection.close()


def outcome(work):
    try:
        return work()
    except DomainError as refusal:
        return refusal


def test_of_two_changes_bound_to_what_was_read_one_is_kept(committed_db):
    cast.a_study()
    address, people = f"{STUDIES}kites/", [as_person(cast.alice()) for _ in range(2)]
    etag = people[0].get(address)["ETag"]

    def change(client, body):
        return lambda: client.patch(address, body, JSON, headers={"If-Match": etag}).status_code

    found = while_uncommitted(change(people[0], '{"title": "Boats"}'), change(people[1], '{"overlap": 4}'))
    assert found == [200, 412]
    study = Study.objects.get()
    assert (study.title, study.overlap) == ("Boats", 2)


@pytest.mark.parametrize("step", ["questions", "pairing", "guideline"])
def test_of_two_who_save_the_same_step_at_once_the_second_is_told(committed_db, step):
    study = cast.a_study(state=StudyState.DRAFT)
    study.memberships.create(user=cast.carol(), role=StudyRole.EDITOR)
    people = [Client(), Client()]
    for client, person in zip(people, (cast.alice(), cast.carol()), strict=True):
        client.force_login(person)
    marks = [opened(client, step) for client in people]
    changed = {"questions": "title", "pairing": "overlap", "guideline": "body"}[step]

    def save(number):
        return lambda: sent(people[number], step, marks[number], **{changed: f"{7 + number}"}).status_code

    assert while_uncommitted(save(0), save(1)) == [302, 422]
    study.refresh_from_db()
    kept = [study.title, str(study.overlap), *(version.body for version in study.guidelines.all())]
    assert "7" in kept and "8" not in kept


def test_a_study_that_is_archived_meanwhile_is_not_opened(committed_db):
    study = cast.a_study(state=StudyState.CLOSED)
    archived, opened = while_uncommitted(
        lambda: archive_study(study), lambda: set_state(Study.objects.get(pk=study.pk), StudyState.OPEN)
    )
    assert archived is True
    assert isinstance(opened, StudyRefused) and "archived" in str(opened)
    assert Study.objects.get().state == StudyState.CLOSED


def test_a_study_that_is_deleted_meanwhile_is_not_opened(committed_db):
    study = cast.a_study(state=StudyState.DRAFT)
    deleted, opened = while_uncommitted(
        lambda: delete_study(study, study.slug),
        lambda: set_state(Study.objects.get(pk=study.pk), StudyState.OPEN),
    )
    assert deleted is None and isinstance(opened, StudyRefused)
    assert Study.objects.get().state == StudyState.CLOSED


def becomes_a_member(study):
    return lambda: add_member(study, cast.bob(), StudyRole.EDITOR)


def takes_up_an_invitation(study):
    invitation, _ = invite(study, "bob@example.org", StudyRole.EDITOR)
    return lambda: accept(invitation, cast.bob())


def becomes_a_rater(study):
    return lambda: enrol(study, cast.bob())


def is_let_go_on(study):
    place = cast.a_rater(study, cast.bob())
    set_place(place, EnrolmentState.PAUSED)
    return lambda: set_place(place, EnrolmentState.ACTIVE)


@pytest.mark.slow
@pytest.mark.parametrize("member", [becomes_a_member, takes_up_an_invitation])
@pytest.mark.parametrize("rater", [becomes_a_rater, is_let_go_on])
@pytest.mark.parametrize("member_first", [True, False])
def test_nobody_becomes_a_member_and_a_rater_at_once(committed_db, member, rater, member_first):
    study, _ = cast.a_study(), cast.bob()
    works = [rater(study), member(study)]
    first, second = while_uncommitted(*(works[::-1] if member_first else works))
    assert not isinstance(first, DomainError) and isinstance(second, NotQualified)
    places = Enrolment.objects.filter(user=cast.bob(), state=EnrolmentState.ACTIVE).count()
    assert places + Membership.objects.filter(user=cast.bob()).count() == 1


@pytest.mark.parametrize("work", [becomes_a_member, takes_up_an_invitation, becomes_a_rater, is_let_go_on])
def test_whoever_comes_in_while_they_are_forgotten_is_waited_for(committed_db, work):
    """Both lock the account first, so neither waits for the other in turn."""
    study, bob = cast.a_study(), cast.bob()
    come, forgotten = while_uncommitted(work(study), lambda: forget_person(bob))
    assert not isinstance(come, DomainError) and forgotten is True
    assert not bob.memberships.exists()
    assert not Enrolment.objects.filter(user=bob, state=EnrolmentState.ACTIVE).exists()
