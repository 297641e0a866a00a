"""Who may open the desk: the study's researchers; to all others nothing is there."""

import pytest
from django.test import Client
from django.urls import reverse

from annotation.actions import runs
from annotation.actions.members import add_member
from annotation.models import Run, Snapshot, Study
from annotation.vocabulary import StudyRole
from tests import cast
from tests.reports.studies import a_varied_study

pytestmark = pytest.mark.django_db

PAGES = ("study", "results", "dry_run", "raters", "responses", "snapshots")
POSTS = ("set_state", "start_run", "raters", "freeze_snapshot")


@pytest.fixture
def study() -> Study:
    study = a_varied_study(3)
    cast.an_arm(study, "third")
    runs.start_run(study)
    Snapshot.objects.create(study=study, number=1, folder="/nowhere", manifest={})
    return study


def pages(study: Study) -> list[str]:
    own = [reverse(f"desk:{name}", args=[study.slug]) for name in PAGES]
    run, snapshot = Run.objects.get(study=study), Snapshot.objects.get(study=study)
    response = study.responses.first()
    return [
        *own,
        reverse("desk:response_text", args=[study.slug, response.pk]),
        reverse("desk:prompt_text", args=[study.slug, response.prompt_id]),
        reverse("desk:run", args=[study.slug, run.pk]),
        reverse("desk:snapshot", args=[study.slug, snapshot.number]),
    ]


def posts(study: Study) -> list[str]:
    own = [reverse(f"desk:{name}", args=[study.slug]) for name in POSTS]
    return [*own, reverse("desk:control_run", args=[study.slug, Run.objects.get(study=study).pk, "resume"])]


def test_alice_sees_every_page(client, study):
    client.force_login(cast.alice())
    for page in [reverse("desk:studies"), *pages(study)[:-1]]:
        assert client.get(page).status_code == 200, page


def test_bob_and_mallory_find_nothing(client, study):
    for person in (cast.bob(), cast.mallory()):
        client.force_login(person)
        assert {client.get(page).status_code for page in pages(study)} == {404}
        assert {client.post(page).status_code for page in posts(study)} == {404}


def test_a_rater_finds_no_desk_at_all(client):
    client.force_login(cast.bob())
    assert client.get(reverse("desk:studies")).status_code == 404


def test_mallory_sees_no_study_of_alices(client, study):
    client.force_login(cast.mallory())
    page = client.get(reverse("desk:studies")).content.decode()
    assert study.title not in page
    assert "You have no study yet." in page


def test_another_studys_run_is_not_found_under_this_one(client, study):
    other = cast.a_study("other")
    client.force_login(cast.alice())
    run = Run.objects.get(study=study)
    assert client.get(reverse("desk:run", args=[other.slug, run.pk])).status_code == 404


def test_anonymous_is_asked_to_log_in(client, study):
    for page in [reverse("desk:studies"), *pages(study), *posts(study)]:
        answer = client.get(page)
        assert (answer.status_code, answer.url.split("?")[0]) == (302, reverse("login"))


def test_a_post_needs_its_token():
    study = cast.a_study()
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice())
    answer = client.post(reverse("desk:set_state", args=[study.slug]), {"state": "closed"})
    assert answer.status_code == 403
    assert Study.objects.get().is_open


def test_what_writes_takes_no_get(client, study):
    client.force_login(cast.alice())
    refused = [page for page in posts(study) if page != reverse("desk:raters", args=[study.slug])]
    assert {client.get(page).status_code for page in refused} == {405}


def test_a_superuser_sees_every_study(client, study):
    client.force_login(cast.person("root", is_superuser=True, is_staff=True))
    assert client.get(reverse("desk:study", args=[study.slug])).status_code == 200


def test_a_viewer_sees_every_page_and_is_told_that_they_may_change_nothing(client, study):
    add_member(study, cast.dan(), StudyRole.VIEWER)
    client.force_login(cast.dan())
    for page in [reverse("desk:studies"), *pages(study)[:-1]]:
        assert client.get(page).status_code == 200, page
    for page in posts(study):
        reply = client.post(page)
        assert reply.status_code == 403 and "your role is viewer" in reply.content.decode(), page
    assert Study.objects.get(pk=study.pk).is_open


def test_an_editor_changes_the_study(client, study):
    add_member(study, cast.dan(), StudyRole.EDITOR)
    client.force_login(cast.dan())
    assert client.post(reverse("desk:set_state", args=[study.slug]), {"state": "closed"}).status_code == 302
    assert not Study.objects.get(pk=study.pk).is_open


def test_a_program_of_a_viewer_reads_and_changes_nothing(client, study):
    add_member(study, cast.dan(), StudyRole.VIEWER)
    client.force_login(cast.dan())
    assert client.get(reverse("api:runs", args=[study.slug])).status_code == 200
    reply = client.post(reverse("api:runs", args=[study.slug]), {"samples": 1})
    assert reply.status_code == 403 and "your role is viewer" in reply.json()["detail"]
