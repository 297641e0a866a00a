"""A study's results over JSON and as files, on the desk too: made by a worker, for its researchers alone."""

import csv
import io

import pyarrow.parquet as pq
import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from annotation import tasks
from annotation.actions.snapshots import freeze_snapshot
from annotation.models import Report, Study
from annotation.reports.filters import Filters
from annotation.reports.tables import Column, Table
from tests import cast
from tests.reports.studies import a_varied_study

pytestmark = pytest.mark.django_db

TABLE = Table(
    "wins",
    "Who",
    "How.",
    (Column("arm", "Arm"), Column("n", "n", "count"), Column("rate", "Rate", "share")),
    (("=xanthic", 3, 0.5),),
    n="n",
)
LONG = Table("long", "Long", "Many.", (Column("n", "n", "count"),), tuple((n,) for n in range(2001)))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("annotation.reports.results.MAKERS", (lambda answers: (TABLE, LONG),))
    # Messages are kept, and delivered when a test says so.
    monkeypatch.setattr(tasks.make_report, "delay", lambda pk: None)


@pytest.fixture
def alice() -> APIClient:
    client = APIClient()
    client.force_authenticate(cast.alice())
    client.force_login(cast.alice())
    return client


def work() -> None:
    for pk in Report.objects.waiting().values_list("pk", flat=True):
        tasks.make_report(pk)


def address(study: Study, query: str = "", **file) -> str:
    names = [study.slug, *file.values()]
    return reverse("api:results_file" if file else "api:results", args=names) + query


def test_the_first_reply_says_that_results_are_being_made(alice):
    study = a_varied_study(3)
    tasks.note_worker("default")
    first = alice.get(address(study))
    assert first.status_code == 202 and first.json() == {"detail": "The results are being made."}
    assert first["Retry-After"] == "5"
    work()
    told = alice.get(address(study)).json()
    assert [Table.from_json(table) for table in told["tables"]] == [TABLE]
    assert told["only_as_files"] == [{"name": "long", "rows": 2001}]
    assert told["about"]["study"]["slug"] == study.slug
    assert (told["data_moved"], told["making"], told["failure"]) == (False, False, "")
    assert 0 <= told["age_seconds"] < 60


def test_without_a_worker_the_reply_says_so(alice):
    told = alice.get(address(a_varied_study(1)))
    assert told.json()["detail"] == "The results wait for a worker. No worker is alive."


def test_a_failed_making_is_told_and_can_be_asked_again(alice, monkeypatch):
    study = a_varied_study(1)
    alice.get(address(study))
    Report.objects.update(state="failed", error="The snapshot is gone.")
    assert alice.get(address(study)).status_code == 503
    assert alice.get(address(study)).json()["detail"] == "The snapshot is gone."
    assert alice.post(address(study)).status_code == 202
    work()
    assert alice.get(address(study)).status_code == 200


def test_filters_are_parameters_and_odd_ones_are_refused(alice):
    study = a_varied_study(3)
    query = "?intent=benign"
    alice.get(address(study, query))
    work()
    told = alice.get(address(study, query)).json()
    assert told["about"]["filters"]["words"] == "intent: benign"
    odd = alice.get(address(study, "?intent=kind"))
    assert odd.status_code == 422 and "is no intent" in odd.json()["detail"]


def test_a_snapshots_results_are_told_apart(alice, tmp_path):
    study = a_varied_study(2)
    freeze_snapshot(study, out=tmp_path / "out")
    alice.get(address(study, "?snapshot=1"))
    work()
    assert alice.get(address(study, "?snapshot=1")).json()["about"]["source"]["number"] == 1
    for odd in ("2", "x", "-1", "9" * 30, "²"):
        assert alice.get(address(study, f"?snapshot={odd}")).status_code == 404


@pytest.mark.parametrize("client", ["api", "desk"])
def test_a_table_comes_as_a_file(alice, client):
    study = a_varied_study(2)

    def get(table, ending, **headers):
        place = reverse(f"{client}:results_file", args=[study.slug, table, ending])
        return alice.get(place, headers=headers)

    assert get("wins", "csv").status_code == {"api": 202, "desk": 404}[client]
    tasks.look_at_results(study, Filters())
    work()
    answer = get("wins", "csv", accept="text/csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="{study.slug}-wins.csv"'
    assert list(csv.reader(io.StringIO(answer.content.decode()))) == [
        ["arm", "n", "rate"],
        ["'=xanthic", "3", "0.5"],
    ]
    assert pq.read_table(io.BytesIO(get("long", "parquet").content)).num_rows == 2001
    assert get("wins", "json").json()["title"] == "Who"
    assert get("wins", "exe").status_code == get("unheard_of", "csv").status_code == 404


@pytest.mark.parametrize("name", ["dan", "mallory", "bob"])
def test_nobody_else_gets_results(name, alice):
    study = a_varied_study(1)
    alice.get(address(study))
    work()
    person = {"dan": cast.dan, "mallory": cast.mallory, "bob": cast.bob}[name]()
    other = APIClient()
    other.force_login(person)
    desk = reverse("desk:results_file", args=[study.slug, "wins", "csv"])
    again = reverse("desk:refresh_results", args=[study.slug])
    for place in (address(study), address(study, table="wins", ending="csv"), desk):
        assert other.get(place).status_code in (403, 404)
    for place in (again, address(study)):
        assert other.post(place).status_code in (403, 404)
    assert Report.objects.count() == 1


def test_asking_again_on_the_desk_keeps_the_filters(alice):
    study = a_varied_study(1)
    place = reverse("desk:refresh_results", args=[study.slug])
    answer = alice.post(place + "?intent=benign")
    assert answer.status_code == 302
    assert answer["Location"] == reverse("desk:results", args=[study.slug]) + "?intent=benign"
    assert Report.objects.get().filters == "intent=benign"
    assert alice.post(place)["Location"] == reverse("desk:results", args=[study.slug])
    assert alice.get(place).status_code == 405


@pytest.mark.parametrize("pairs", [1, 8])
def test_kept_results_cost_the_same_queries_at_any_size(alice, pairs, django_assert_max_num_queries):
    study = a_varied_study(pairs)
    alice.get(address(study))
    work()
    with django_assert_max_num_queries(14):
        assert alice.get(address(study)).status_code == 200
