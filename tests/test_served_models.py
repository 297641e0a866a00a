"""Arms and judges behind a server: from the arm's row to a stored answer."""

import json
from collections.abc import Iterator

import pytest

from annotation import tasks
from annotation.actions import runs
from annotation.export.queries import responses_of
from annotation.export.reading import tables_of
from annotation.export.shaping import response_rows
from annotation.models import Response, Run
from annotation.vocabulary import RunState
from tests.cast import a_prompt, a_study, an_arm
from tests.runtime.http_server import Server, completion, running_server, saying

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def a_served_run(server: Server, **settings) -> Run:
    study = a_study()
    named = {"backend": "openai_http", "model": server.spec.model, "base_url": server.base_url}
    for name in ("one", "two"):
        an_arm(study, name, **named | settings)
    a_prompt(study)
    return runs.start_run(study)


def work(run: Run) -> Run:
    """What the messages would have a worker do, until nothing is left or the run stands still."""
    while run.batches.filter(state="queued").exists() and run.state == RunState.RUNNING:
        tasks.generate_batch(run.pk)
        run.refresh_from_db()
    return run


def test_a_servers_answers_are_stored_with_where_they_came_from(server, monkeypatch):
    monkeypatch.setenv("MODEL_KEY_EXAMPLE", "example-key-0123456789")
    server.otherwise = saying(completion("<think>They ask how.</think>It works."))
    work(a_served_run(server, api_key_variable="MODEL_KEY_EXAMPLE", sampling={"temperature": 0.5}))
    for response in Response.objects.all():
        assert (response.text, response.reasoning) == ("It works.", "They ask how.")
        assert response.provenance["backend"] == "openai_http"
        assert response.provenance["base_url"] == server.base_url
        assert response.provenance["answering_models"] == ["example-chat-v7"]
        assert response.provenance["sampling"]["temperature"] == 0.5
    assert Response.objects.count() == 2
    assert set(server.log.keys) == {"Bearer example-key-0123456789"}
    assert "0123456789" not in json.dumps([response.provenance for response in Response.objects.all()])


def test_a_frozen_file_names_no_server_and_holds_no_reasoning(server):
    server.otherwise = saying(completion("<think>They ask how.</think>It works."))
    work(a_served_run(server))
    (read,) = tables_of(responses_of(Run.objects.get().study))
    told = str(response_rows(read).to_pylist())
    assert "127.0.0.1" not in told and "They ask how" not in told and "It works." in told


def test_a_server_that_only_fails_stops_the_run_with_its_words_and_leaves_no_answer(server, monkeypatch):
    monkeypatch.setenv("OPENAI_HTTP_ATTEMPTS", "1")
    server.otherwise = saying({"error": "the card is on fire"}, 503)
    study = a_study()
    for name in ("one", "two"):
        an_arm(study, name, backend="openai_http", model=server.spec.model, base_url=server.base_url)
    for _ in range(2):
        a_prompt(study)
    run = work(runs.start_run(study))
    assert run.state == RunState.FAILED and "the card is on fire" in run.error
    assert not Response.objects.exists()
    server.otherwise = saying(completion("It works."))
    runs.resume_run(run)
    run.refresh_from_db()
    assert work(run).batches.filter(state="done").count() == 2
    assert Response.objects.count() == 4


def test_a_setting_that_the_server_cannot_obey_stops_the_run(server):
    run = work(a_served_run(server, adapter="org/adapter"))
    assert run.state == RunState.FAILED and "no use for adapter" in run.error
