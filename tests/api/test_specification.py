"""The specification: whole, with examples that were really answered, and true of the live server."""

import json
import os
import re

import jsonschema
import pytest
from django.core.management import call_command

from annotation.api.docs import whole
from annotation.api.schema import EXAMPLES
from annotation.templatetags.code import code_marked
from tests.api import story

WRITE = "WRITE_EXAMPLES" in os.environ
"""Set it to take what the story was answered as the examples: after a look at the difference."""


def operations() -> list[tuple[str, str, dict]]:
    return [
        (path, method, operation)
        for path, ways in whole()["paths"].items()
        for method, operation in ways.items()
    ]


def resolved(shape: dict) -> dict:
    return {**shape, "components": whole()["components"]}


def misfits(name: str, shape: dict, value: object) -> list[str]:
    found = jsonschema.Draft202012Validator(resolved(shape)).iter_errors(value)
    return [f"{name}: {error.json_path} {error.message[:200]}" for error in found]


def json_of(told: dict) -> dict | None:
    content = told.get("content", {}).get("application/json")
    return content and content["schema"]


@pytest.mark.slow
def test_the_specification_is_valid_and_made_without_a_warning(tmp_path):
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))
    assert whole()["openapi"].startswith("3.1")


def test_every_operation_has_an_example_that_fits_what_is_said_of_it():
    examples, wrong = json.loads(EXAMPLES.read_text()), []
    for _, _, operation in operations():
        name = operation["operationId"]
        example = examples.get(name, {"responses": {"none": None}})
        sent = json_of(operation.get("requestBody", {}))
        if sent is not None and "request" in example:
            wrong += misfits(name, sent, example["request"])
        wrong += unlike(operation, example["responses"])
    assert not wrong, "\n".join(wrong)


@pytest.mark.django_db
@pytest.mark.slow
def test_every_operation_can_be_asked_for_and_is_answered_as_it_says(monkeypatch, settings, tmp_path):
    settings.DATASETS, settings.TRAININGS, settings.TRAINS = tmp_path / "d", tmp_path / "t", True
    story.eager(monkeypatch)
    told = story.whole()
    if WRITE:
        EXAMPLES.write_text(json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    assert {operation["operationId"] for _, _, operation in operations()} == set(told)
    wrong = [
        line
        for _, _, operation in operations()
        for line in unlike(operation, told[operation["operationId"]]["responses"])
    ]
    assert not wrong, "\n".join(wrong)


def unlike(operation: dict, replies: dict) -> list[str]:
    """What of these JSON replies is not as the operation says."""
    name, wrong = operation["operationId"], []
    for status, reply in replies.items():
        shape = json_of(operation["responses"].get(status, {}))
        wrong += misfits(name, shape, reply) if shape else [f"{name} tells of no JSON with status {status}"]
    return wrong


def test_the_page_shows_what_stands_in_backticks_as_code(client, db):
    page = client.get("/api/v1/docs/").content.decode()
    prose = re.sub(r"<pre.*?</pre>", "", page, flags=re.S)
    assert "`" not in prose and "<code>kinds</code> counts the waiting pairs" in prose


def test_what_stands_in_backticks_is_escaped():
    assert code_marked("Ask `<b>` & `c`.") == "Ask <code>&lt;b&gt;</code> &amp; <code>c</code>."
