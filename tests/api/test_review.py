"""The review over JSON."""

import pytest
from django.urls import reverse
from kombu.exceptions import OperationalError

from annotation import tasks
from annotation.actions.claims import claim_next_pair
from annotation.models import Pair
from annotation.vocabulary import PairState
from tests import cast
from tests.actions.test_reviewing import (
    OWN_NAME,
    PLAIN,
    a_generated_study,
    a_marked_study,
    forget_the_scanner,
    keys,
    work,
)
from tests.api.test_grading import address, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return client_of(cast.alice())


def post(client, name, **body):
    return client.post(address(name), body, format="json")


def test_waiting_pairs_are_listed_with_marks_passages_and_what_is_closed(alice):
    study = a_marked_study(OWN_NAME, " ", pairs=2)
    listed = alice.get(address("review")).json()
    assert (listed["count"], [row["id"] for row in listed["results"]]) == (2, keys(study))
    first = listed["results"][0]
    assert first["a"]["marks"][0]["kind"] == "identity" and first["b"]["marks"][0]["kind"] == "empty"
    part = first["a"]["passages"][0]
    assert [part["text"][start:end] for start, end in part["spans"]] == ["Qwen", "Alibaba Cloud"]
    assert set(first["closed"]) == {"regenerate"}
    assert listed["kinds"] == {"empty": {"pairs": 2, "alone": 0}, "identity": {"pairs": 2, "alone": 0}}


def test_the_list_is_paged_and_filtered(alice):
    a_marked_study(pairs=3)
    assert len(alice.get(address("review") + "?page_size=2").json()["results"]) == 2
    assert alice.get(address("review") + "?kind=empty").json()["count"] == 0
    assert alice.get(address("review") + "?kind=ugly").status_code == 400
    assert alice.get(address("review") + "?page=9").status_code == 404


def test_pairs_are_decided_and_taken_back(alice):
    study = a_marked_study(pairs=2)
    first, second = keys(study)
    answer = post(alice, "decide", decision="mask", pairs=[first])
    assert answer.json() == {"done": 1, "pairs": [first], "refused": {}, "run": None, "left": 0}
    whole = alice.get(address("reviewed_pair", first)).json()
    assert (whole["a"]["text"], whole["a"]["shown"][:7]) == (OWN_NAME, "I am **")
    assert "Qwen" not in whole["a"]["shown"] and whole["b"]["shown"] is None
    assert alice.get(address("review") + "?decided=1").json()["results"][0]["decision"] == "mask"
    again = post(alice, "decide", decision="drop", pairs=[first, second]).json()
    assert again["done"] == 1 and again["refused"] == {"It does not wait for review any more.": 1}
    assert post(alice, "take_back", pairs=[first, second]).json()["done"] == 2
    assert keys(study) == [first, second]


def test_a_whole_kind_is_decided(alice, monkeypatch):
    monkeypatch.setattr("annotation.api.review.MOST_AT_ONCE", 2)
    a_marked_study(" ", PLAIN, pairs=3)
    assert post(alice, "decide", decision="show", kind="identity").json()["done"] == 0
    answer = post(alice, "decide", decision="show", kind="empty").json()
    assert (answer["done"], answer["left"]) == (2, 1)


def test_generating_again_starts_a_run_that_workers_hear_of(alice, hints):
    study = a_generated_study()
    answer = post(alice, "decide", decision="regenerate", pairs=keys(study)).json()
    assert [run.pk for run in hints] == [answer["run"]]
    assert post(alice, "take_back", pairs=answer["pairs"]).json()["refused"] == {
        "Its answer was generated again; decide about the new pair instead.": 1
    }
    work(study, study.runs.first())
    earlier = alice.get(address("review")).json()["results"][0]["a"]["earlier"]
    assert earlier[0]["replaced_at"] and earlier[0]["marks"][0]["kind"] == "truncated"


def test_a_queue_that_is_down_only_delays(alice, monkeypatch):
    def down(run):
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks, "hint", down)
    study = a_generated_study()
    assert "by itself" in post(alice, "decide", decision="regenerate", pairs=keys(study)).json()["detail"]


def test_a_refused_decision_is_a_conflict(alice):
    study = a_generated_study()
    study.runs.update(state="paused")
    answer = post(alice, "decide", decision="regenerate", pairs=keys(study))
    assert answer.status_code == 409 and "not finished" in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decision": "show"},
        {"decision": "burn", "pairs": [1]},
        {"decision": "show", "pairs": []},
        {"decision": "show", "pairs": [2**63]},
        {"decision": "show", "pairs": ["x"]},
        {"decision": "show", "pairs": [1], "kind": "empty"},
        {"decision": "show", "pairs": list(range(1, 1_002))},
    ],
)
def test_nonsense_changes_nothing(alice, body):
    a_marked_study()
    assert post(alice, "decide", **body).status_code == 400
    assert Pair.objects.get().state == PairState.HELD


def test_a_decision_stands_once_a_rater_was_given_the_pair(alice):
    study = a_marked_study()
    wanted = keys(study)
    post(alice, "decide", decision="show", pairs=wanted)
    claim_next_pair(cast.a_rater(study, cast.bob()))
    assert post(alice, "take_back", pairs=wanted).json()["done"] == 0


def test_pairs_are_looked_at_again(alice):
    forget_the_scanner(a_marked_study(pairs=2))
    assert post(alice, "rescan").json() == {"looked_at": 2, "held": 2, "opened": 0}


def test_others_find_nothing():
    study = a_marked_study()
    pair = study.pairs.get()
    for person, status in ((cast.bob(), 403), (cast.mallory(), 404)):
        client = client_of(person)
        assert client.get(address("review")).status_code == status
        assert client.get(address("reviewed_pair", pair.pk)).status_code == status
        assert post(client, "decide", decision="show", pairs=[pair.pk]).status_code == status
        assert post(client, "take_back", pairs=[pair.pk]).status_code == status
        assert post(client, "rescan").status_code == status


def test_another_studys_pair_is_not_found_under_this_one(alice):
    study = a_marked_study()
    cast.a_study("other")
    pair = study.pairs.get()
    assert alice.get(reverse("api:reviewed_pair", args=["other", pair.pk])).status_code == 404
    body = {"decision": "show", "pairs": [pair.pk]}
    assert alice.post(reverse("api:decide", args=["other"]), body, format="json").json()["done"] == 0


@pytest.mark.parametrize("verb", ["decide", "take_back"])
def test_a_misspelt_field_is_refused_in_a_sentence_and_decides_nothing(alice, verb):
    study = a_marked_study()
    refused = post(alice, verb, decision="drop", pairs=keys(study), reson="typo")
    assert refused.status_code == 400
    assert "No such field; there are:" in refused.json()["errors"]["reson"][0]
    assert study.pairs.get().state == PairState.HELD
