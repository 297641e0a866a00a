"""The whole specification against the live server: no 5xx, and no reply that it does not tell of."""

import random

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from annotation import tasks
from annotation.actions.snapshots import freeze_snapshot
from annotation.api.docs import whole
from annotation.models import Assignment, Enrolment, Pair, Prompt, Response
from tests import cast
from tests.reports.studies import a_varied_study

pytestmark = [pytest.mark.slow, pytest.mark.once]

CHECKS = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ORDER = ("get", "post", "put", "patch", "delete")
COSTLY = {"post_snapshots", "post_report", "post_results", "post_dry_run"}
"""Asked for once: each takes a second or more."""


@pytest.fixture
def served(request, committed_db, monkeypatch, settings, tmp_path):
    """A server whose studies hold something of everything, and Alice's token."""
    # Asked for by name only now: as an argument it would set up the database ahead of `committed_db`.
    live_server = request.getfixturevalue("live_server")
    settings.DATASETS, settings.TRAININGS, settings.TRAINS = tmp_path / "d", tmp_path / "t", True
    for name in ("make_report", "make_dataset", "import_file", "print_report", "dry_run", "send_delivery"):
        monkeypatch.setattr(getattr(tasks, name), "delay", lambda *ids: None)
    for name in ("hint", "hint_grading", "hint_training"):
        monkeypatch.setattr(tasks, name, lambda found: None)
    study = a_varied_study(4)
    freeze_snapshot(study, cast.alice())
    cast.a_rater(study, cast.dan())
    return live_server.url, cast.a_token(cast.alice()), study


def known(study) -> dict[str, list]:
    """What stands in addresses: things that are there, by the name of the parameter."""
    return {
        "slug": [study.slug],
        "number": [1],
        "token": [str(token) for token in Assignment.objects.values_list("token", flat=True)[:3]],
        "control": ["pause", "resume", "start", "stop", "again"],
        "name": ["manifest.json", "judgments.parquet"],
        "id": [
            found.objects.order_by("pk").values_list("pk", flat=True).first()
            for found in (Pair, Prompt, Response, Enrolment)
        ],
    }


def test_no_reply_is_a_failure_of_ours_or_untold(served):
    url, token, study = served
    schema, there = schemathesis.openapi.from_dict(whole()), known(study)
    operations = [found.ok() for found in schema.get_all_operations()]
    operations.sort(key=lambda one: ORDER.index(one.method))
    wrong = [line for one in operations for line in faults(one, url, token, there)]
    assert not wrong, "\n".join(wrong)


def faults(operation, url: str, token: str, there: dict) -> list[str]:
    """What is wrong with the replies to some requests that fit the specification, and some that do not."""
    name, found = operation.definition.raw["operationId"], []
    rounds = [(GenerationMode.POSITIVE, 1 if name in COSTLY else 4), (GenerationMode.NEGATIVE, 2)]
    for mode, most in rounds:
        try:
            strategy = operation.as_strategy(generation_mode=mode)
        except Exception as error:  # nothing of it can be wrong
            if "negat" not in str(error).lower():
                raise
            continue
        found += _asked(strategy, most, url, token, there, name)
    return found


def _asked(strategy, most: int, url: str, token: str, there: dict, name: str) -> list[str]:
    wrong, draw = [], random.Random(name)

    @hypothesis.seed(20250809)
    @hypothesis.settings(
        max_examples=most,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=strategy)
    def ask(case) -> None:
        for key in case.path_parameters or {}:
            if key in there and draw.random() < 0.8:
                case.path_parameters[key] = draw.choice(there[key])
        try:
            case.call_and_validate(
                base_url=url, headers={"Authorization": f"Token {token}"}, checks=CHECKS, timeout=30
            )
        except BaseExceptionGroup as group:
            wrong.extend(f"{name}: {str(error)[:900]}" for error in group.exceptions)
        except AssertionError as error:
            wrong.append(f"{name}: {str(error)[:600]}")

    ask()
    return wrong
