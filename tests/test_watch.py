"""Health, metrics and logs: what machines ask, and what they are told."""

import json
import logging
from io import StringIO

import pytest
from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, connection
from django.test import Client
from kombu.exceptions import OperationalError

from annotation.models import WorkerHeartbeat
from annotation.reports.workload import workload
from annotation.requests import id_of
from annotation.watch import health, logs, metrics
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _asked_for_the_first_time(monkeypatch):
    monkeypatch.setattr(health, "_kept", None)
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


def test_a_living_process_says_so_under_any_name(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        reply = client.get("/healthz", headers={"host": "10.0.0.7:8000"})
    assert reply.status_code == 200 and reply.content == b"alive\n"


def test_it_is_ready_when_database_tables_and_folder_are(client):
    told = client.get("/readyz", headers={"host": "10.0.0.7:8000"})
    assert told.status_code == 200
    fine = dict.fromkeys(("database", "migrations", "folder", "queue"), "fine")
    assert told.json() == {"ready": True, **fine}


def test_it_is_not_ready_before_the_tables_are(client, monkeypatch):
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda *_: ["one"])
    told = client.get("/readyz")
    assert told.status_code == 503 and told.json()["migrations"] == "not all applied: manage.py migrate"


def test_it_is_not_ready_without_a_database_and_tells_nothing_of_it(client, monkeypatch):
    def broken(*_):
        raise AnyDatabaseError("password authentication failed for user evenhand")

    monkeypatch.setattr(connection, "cursor", broken)
    told = client.get("/readyz")
    assert told.status_code == 503 and told.json()["database"] == "does not answer"
    assert "evenhand" not in told.content.decode()


def test_without_the_queue_pages_are_answered_all_the_same(client, monkeypatch):
    def away(*_, **__):
        raise OperationalError("away")

    monkeypatch.setattr(health.current_app, "connection_for_write", away)
    told = client.get("/readyz")
    assert told.status_code == 200 and told.json()["queue"] == "does not answer"
    assert "evenhand_queue_up 0.0" in client.get("/metrics").content.decode()


def test_however_often_somebody_asks_the_database_is_asked_once(client, django_assert_num_queries):
    client.get("/readyz")
    with django_assert_num_queries(0):
        client.get("/readyz")


def test_metrics_are_for_this_machine_alone(client):
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="nonsense").status_code == 404


def test_metrics_are_for_whoever_knows_the_token(client, settings):
    settings.METRICS_TOKEN = "a token that nobody guesses"
    assert client.get("/metrics").status_code == 404
    wrong = client.get("/metrics", headers={"Authorization": "Bearer ä"})
    assert wrong.status_code == 404
    right = {"Authorization": f"Bearer {settings.METRICS_TOKEN}"}
    assert client.get("/metrics", headers=right, REMOTE_ADDR="10.0.0.9").status_code == 200


def test_metrics_tell_what_there_is_to_do(client, django_assert_max_num_queries):
    study = cast.a_rateable_study()
    cast.a_judgment(cast.a_rater(study, cast.bob()))
    WorkerHeartbeat.objects.create(name="gpu@host", queue="gpu")
    with django_assert_max_num_queries(12):
        lines = client.get("/metrics").content.decode().splitlines()
    assert 'evenhand_studies{state="open"} 1.0' in lines
    assert 'evenhand_workers{queue="gpu"} 1.0' in lines
    assert "evenhand_judgments_total 1.0" in lines and "evenhand_database_up 1.0" in lines
    assert any(line.startswith('evenhand_queue_messages{queue="default"} ') for line in lines)


def test_events_that_wait_for_their_seal_are_told(monkeypatch):
    study = cast.a_study()
    assert workload().unsealed_seconds < 60
    at = study.events.first().created_at
    assert workload(at.replace(year=at.year + 1)).unsealed_seconds > 3e7


def test_a_request_is_counted_by_its_route_and_never_by_its_address(client):
    client.force_login(cast.alice())
    cast.a_study()
    client.get("/desk/kites/")
    client.get("/desk/no-such-study-anywhere/")
    client.get("/no/such/page/anywhere")
    told = client.get("/metrics").content.decode()
    assert 'route="desk/<slug:slug>/",status="2xx"' in told
    assert 'route="desk/<slug:slug>/",status="4xx"' in told and 'route="none",status="4xx"' in told
    assert "anywhere" not in told


def test_a_broken_database_is_told_too(monkeypatch):
    def broken():
        raise AnyDatabaseError

    monkeypatch.setattr(metrics, "workload", broken)
    assert b"evenhand_database_up 0.0" in metrics.metrics_text()


@pytest.mark.parametrize("given", ["0123456789abcdef", "from-the.proxy_1"])
def test_the_proxys_name_of_a_request_is_kept(client, given):
    assert client.get("/accounts/login/", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "short", "with space in it", "x" * 65, "two\nlines-of-it", "<script>"])
def test_a_name_that_is_no_plain_word_is_replaced(given):
    told = id_of(given)
    assert told != given and len(told) == 32


# Logs ------------------------------------------------------------------------------------------------


@pytest.fixture
def said():
    """What is written as JSON, and a way to read it."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JSONFormatter())
    handler.addFilter(logs.Who())
    loggers = [logging.getLogger(name) for name in ("annotation.requests", "tests.watch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_each_request_is_one_object(client, said):
    client.get("/accounts/login/?next=/rate/", headers={"X-Request-ID": "from-the-proxy"})
    (line,) = said()
    assert line["request_id"] == "from-the-proxy" and line["logger"] == "annotation.requests"
    assert (line["method"], line["route"], line["status"]) == ("GET", "accounts/login/", 200)
    assert line["milliseconds"] > 0 and line["time"].endswith("Z") and "job_id" not in line


def test_no_request_is_told_after_its_end(client, said):
    client.get("/accounts/login/")
    logging.getLogger("tests.watch").info("later")
    assert "request_id" not in said()[-1]


def test_what_a_rater_wrote_is_not_in_the_log(said):
    """PostgreSQL quotes the whole row that it refuses."""
    refused = "violates a check\nDETAIL:  Failing row contains (7, a private remark\nTraceback of mine)."
    try:
        try:
            raise ValueError(refused)
        except ValueError as error:
            raise IntegrityError(refused) from error
    except IntegrityError:
        logging.getLogger("tests.watch").exception("It failed")
    (line,) = said()
    assert "private remark" not in json.dumps(line) and "of mine" not in json.dumps(line)
    assert line["exc_info"].count("violates a check") == 2 and "IntegrityError" in line["exc_info"]


def test_a_line_for_people_tells_the_request_too():
    record = logging.LogRecord("x", logging.INFO, "", 1, "one\ntwo", (), None)
    record.request_id, record.job_id = "abc", ""
    first, second = logs.TextFormatter().format(record).splitlines()
    assert first.endswith("INFO x one [request_id=abc]") and second == "two"


def test_health_needs_no_https(settings):
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/healthz").status_code == 200


@pytest.mark.parametrize("where", ["/desk/kites/", "/api/v1/studies/kites/", "/desk/nothing/", "/"])
def test_what_says_nothing_of_caches_is_its_readers_alone(client, where):
    cast.a_study()
    client.force_login(cast.alice())
    assert client.get(where)["Cache-Control"] == "private, no-cache"


def test_what_says_something_of_caches_is_left_alone(client):
    client.force_login(cast.alice())
    assert "no-store" in client.get("/tokens/")["Cache-Control"]
