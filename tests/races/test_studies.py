"""Two people change a study, or who has a part in it, at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import close_old_connections, connection, transaction

from annotation.actions.removing import archive_study, delete_study
from annotation.actions.studies import set_state
from annotation.errors import DomainError, StudyRefused
from annotation.models import Study
from annotation.vocabulary import StudyState
from tests import cast
from tests.api.story import as_person
from tests.api.test_tokens import JSON, STUDIES

UNCOMMITTED_FOR = 0.5
"""Seconds that the first waits with its commit for one that does not wait for it."""


def while_uncommitted(first, second):
    """What both come to, a value or a refusal: `second` begins when `first` has done all but commit."""
    begun, ended = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            found = outcome(first)
            begun.set()
            ended.wait(UNCOMMITTED_FOR)
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
