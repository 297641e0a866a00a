"""The review list on the desk: who opens it, what it shows, what its buttons do."""

import re

import pytest
from django.urls import reverse
from kombu.exceptions import OperationalError

from annotation import tasks
from annotation.actions import reviewing, runs
from annotation.actions.claims import claim_next_pair
from annotation.actions.pairing import make_pairs
from annotation.models import Mark, Pair
from annotation.vocabulary import MarkKind, PairState
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

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    client.force_login(cast.alice())
    return client


def read(client, query="", study="kites", **headers) -> str:
    answer = client.get(reverse("desk:review", args=[study]) + query, **headers)
    assert answer.status_code == 200
    return answer.content.decode()


def send(client, what="decide", **fields):
    return client.post(reverse(f"desk:{what}", args=["kites"]), fields, follow=True)


def page_of(client, pair) -> str:
    return client.get(reverse("desk:reviewed_pair", args=["kites", pair.pk])).content.decode()


# What it shows


def test_waiting_pairs_are_listed_with_their_marks_and_the_marked_place(alice):
    a_marked_study(OWN_NAME, " ")
    page = read(alice)
    assert "1 pair waits for review." in page
    assert '<mark class="place">Qwen</mark>' in page
    assert "<strong>Says which model it is</strong>" in page and "<strong>Empty</strong>" in page
    assert "arm 0" in page and "arm 1" in page


def test_the_study_and_the_run_lead_to_what_waits(alice):
    study = a_generated_study()
    link = f'href="{reverse("desk:review", args=["kites"])}">review it</a>'
    assert link in alice.get(reverse("desk:study", args=["kites"])).content.decode()
    run = reverse("desk:run", args=["kites", study.runs.get().pk])
    assert link in alice.get(run).content.decode()
    reviewing.decide(study, keys(study), "show")
    assert link not in alice.get(run).content.decode()


def test_an_empty_list_says_what_it_is_for(alice):
    cast.a_rateable_study(1)
    assert "No pair waits for review." in read(alice) and "until you decide" in read(alice)


def test_the_list_is_filtered_by_kind(alice):
    study = a_marked_study(OWN_NAME, PLAIN)
    prompt = cast.a_prompt(study, "empty-one")
    for arm, text in zip(study.arms.all(), (" ", PLAIN), strict=True):
        cast.a_response(prompt, arm, text)
    make_pairs(study)
    page = read(alice, "?kind=empty")
    assert "empty-one" in page and "Qwen" not in page
    assert "Says which model it is <span>1</span>" in page and "All <span>2</span>" in page


def test_what_cannot_be_decided_is_closed_and_says_why(alice):
    a_marked_study(" ", PLAIN)
    page = read(alice)
    assert re.search(r'value="mask"[^>]* disabled', page) and re.search(r'value="show" id="show-1">', page)
    assert "There is no name in it that could be masked." in page
    assert "The answer of “arm 0” was imported" in page


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \u202eI am Qwen</mark></div>{{ 7|add:7 }}"


def test_hostile_text_runs_nothing_and_hides_nothing(alice):
    study = a_marked_study(HOSTILE, PLAIN)
    for page in (read(alice), page_of(alice, study.pairs.get())):
        assert "<script>alert" not in page and "<img src=x" not in page and "\u202e" not in page
        assert "⟦U+202E⟧" in page and "{{ 7|add:7 }}" in page
        assert page.count("<div") == page.count("</div>") and "style=" not in page


def test_the_place_of_a_mark_deep_in_a_long_text_is_shown_and_the_rest_is_not(alice):
    a_marked_study("word " * 200_000 + "I am Qwen. " + "more " * 200_000, PLAIN)
    page = read(alice)
    assert 'I am <mark class="place">Qwen</mark>.' in page
    assert len(page) < 30_000
    assert 'aria-label="left out">… </span>word' in page


@pytest.mark.parametrize("pairs", [2, 20])
@pytest.mark.parametrize(("query", "most"), [("", 22), ("?kind=identity", 22), ("?kind=decided", 24)])
def test_the_number_of_questions_does_not_grow_with_the_list(
    alice, query, most, pairs, django_assert_num_queries
):
    study = a_marked_study(pairs=pairs)
    reviewing.decide(study, keys(study)[::2], "show")
    with django_assert_num_queries(most):
        read(alice, query)


def test_one_pair_is_read_in_full_with_the_masked_text_beside(alice):
    study = a_marked_study()
    page = page_of(alice, study.pairs.get())
    assert "I am <strong>Qwen</strong>" in page and "I am <strong>▇▇▇</strong>" in page
    assert "If masked, raters read" in page


# What its buttons do


def test_a_decision_is_confirmed_and_can_be_taken_back(alice):
    study = a_marked_study()
    answer = send(alice, pairs=keys(study), decision="show", kind="identity", page="1")
    assert answer.redirect_chain[0][0].startswith("/desk/kites/review/?kind=identity&page=1&done=")
    page = answer.content.decode()
    assert "1\u00a0pair is shown as it is." in page
    event = re.search(r'name="event" value="(\d+)"', page)[1]
    page = send(alice, "take_back", event=event).content.decode()
    assert "1\u00a0pair waits for review again." in page
    assert study.pairs.get().state == PairState.HELD


def test_htmx_gets_the_list_in_the_same_reply(alice):
    study = a_marked_study(pairs=2)
    first, _ = keys(study)
    answer = alice.post(
        reverse("desk:decide", args=["kites"]), {"pairs": first, "decision": "drop"}, HTTP_HX_REQUEST="true"
    )
    page = answer.content.decode()
    assert page.startswith('<div id="review"') and "dropped from the study." in page
    assert "1 pair waits for review." in page


def test_chosen_pairs_are_decided_together(alice):
    study = a_marked_study(pairs=3)
    first, second, third = keys(study)
    send(alice, pairs=[first, third], decision="mask")
    assert keys(study) == [second]
    assert Pair.objects.get(pk=third).shown_a.startswith("I am **▇▇▇**")


def test_all_of_a_kind_leaves_those_with_other_marks_and_those_that_came_since(alice):
    study = a_marked_study(" ", PLAIN, pairs=2)
    first, *_ = study.pairs.order_by("pk")
    also = study.pairs.order_by("pk").last()
    Mark.objects.create(response=also.response_b, kind=MarkKind.IDENTITY, scanner="1")
    page = read(alice, "?kind=empty")
    assert "1 pair has this mark and no other; those with other marks too" in page
    until = re.search(r'name="until" value="(\d+)"', page)[1]
    prompt = cast.a_prompt(study)
    for arm, text in zip(study.arms.all(), (" ", PLAIN), strict=True):
        cast.a_response(prompt, arm, text)
    make_pairs(study)
    send(alice, all="1", kind="empty", until=until, decision="show")
    assert set(study.pairs.filter(state="open").values_list("pk", flat=True)) == {first.pk}


def test_a_refused_decision_says_why(alice):
    study = a_marked_study()
    wanted = keys(study)
    reviewing.decide(study, wanted, "drop")
    page = send(alice, pairs=wanted, decision="show").content.decode()
    assert "1\u00a0pair left as before: It does not wait for review any more." in page


@pytest.mark.parametrize(
    "fields",
    [
        {"decision": "show"},
        {"decision": "burn", "pairs": "1"},
        {"decision": "show", "pairs": "one"},
        {"decision": "show", "all": "1", "kind": "empty"},
        {"decision": "show", "all": "1", "kind": "", "until": "9"},
        {"decision": "show", "pairs": "9" * 30},
    ],
)
def test_nonsense_changes_nothing(alice, fields):
    study = a_marked_study()
    assert send(alice, **fields).status_code == 200
    assert study.pairs.get().state == PairState.HELD


@pytest.mark.parametrize("fields", [{}, {"event": "1" * 30}, {"event": "x"}, {"pairs": "x"}])
def test_nonsense_takes_nothing_back(alice, fields):
    study = a_marked_study()
    reviewing.decide(study, keys(study), "show")
    assert send(alice, "take_back", **fields).status_code == 200
    assert study.pairs.get().state == PairState.OPEN


def test_decided_pairs_are_listed_and_taken_back_one_by_one(alice):
    study = a_marked_study(pairs=2)
    first, second = keys(study)
    reviewing.decide(study, [first], "show")
    claim_next_pair(cast.a_rater(study, cast.bob()))
    reviewing.decide(study, [second], "drop")
    page = read(alice, "?kind=decided")
    assert "This stands: A rater was given it" in page
    assert page.count("Take it back") == 1
    assert "<strong>Shown as it is</strong>" in page and "<strong>Dropped from the study</strong>" in page
    send(alice, "take_back", pairs=second)
    assert keys(study) == [second]


def test_generating_again_tells_the_workers_and_keeps_the_history(alice, hints):
    study = a_generated_study()
    page = send(alice, pairs=keys(study), decision="regenerate").content.decode()
    run = study.runs.first()
    assert hints == [run]
    assert f"Run {run.number}</a> makes the new answers" in page and "Take it back" not in page
    assert "the new answer is not there yet" in read(alice, "?kind=decided")
    work(study, run)
    old = study.pairs.get(state=PairState.REPLACED)
    page = read(alice)
    assert page.count("An earlier answer, replaced") == 2
    assert re.search(r"An earlier answer.*?Cut off.*?It was cut at the token limit", page, re.DOTALL)
    assert "the new answer is not there yet" not in read(alice, "?kind=decided")
    assert "An earlier answer" not in page_of(alice, old)
    responses = alice.get(reverse("desk:responses", args=["kites"])).content.decode()
    assert responses.count("replaced by a later answer") == 2


def test_a_queue_that_is_down_only_delays(alice, monkeypatch):
    def down(run):
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks, "hint", down)
    study = a_generated_study()
    page = send(alice, pairs=keys(study), decision="regenerate").content.decode()
    assert "The queue does not answer." in page
    assert study.runs.first().state == "running"


def test_nothing_is_generated_again_while_a_run_is_under_way(alice):
    study = a_generated_study()
    cast.a_prompt(study)
    runs.start_run(study)
    assert "A run of this study is not finished." in read(alice)
    page = send(alice, pairs=keys(study), decision="regenerate").content.decode()
    assert "Until then no answer can be generated again." in page


def test_pairs_from_before_the_scanner_are_looked_at_on_demand(alice, monkeypatch):
    study = a_marked_study(pairs=2)
    forget_the_scanner(study)
    assert "2 pairs that nobody was given were not yet looked at" in read(alice)
    assert "2\u00a0pairs looked at: 2 wait now" in send(alice, "rescan").content.decode()
    forget_the_scanner(study)
    asked = []
    monkeypatch.setattr("annotation.desk.review.RESCAN_AT_ONCE", 1)
    monkeypatch.setattr(tasks.rescan, "delay", lambda *ids: asked.append(ids))
    assert "A worker looks at them." in send(alice, "rescan").content.decode()
    tasks.rescan(*asked[0])
    assert study.pairs.held().count() == 2


# For others


def test_for_others_nothing_is_there(client):
    study = a_marked_study()
    pair = study.pairs.get()
    pages = [reverse("desk:review", args=["kites"]), reverse("desk:reviewed_pair", args=["kites", pair.pk])]
    posts = [reverse(f"desk:{name}", args=["kites"]) for name in ("decide", "take_back", "rescan")]
    for person in (cast.bob(), cast.mallory()):
        client.force_login(person)
        assert {client.get(page).status_code for page in pages} == {404}
        sent = {"pairs": pair.pk, "decision": "show"}
        assert {client.post(post, sent).status_code for post in posts} == {404}
    pair.refresh_from_db()
    assert pair.state == PairState.HELD


def test_another_studys_pair_and_decision_are_out_of_reach(alice):
    study = a_marked_study()
    decided = reviewing.decide(study, keys(study), "show")
    cast.a_study("other")
    assert alice.get(reverse("desk:reviewed_pair", args=["other", study.pairs.get().pk])).status_code == 404
    for fields in ({"event": decided.event.pk}, {"pairs": decided.pairs}):
        alice.post(reverse("desk:take_back", args=["other"]), fields)
    assert study.pairs.get().state == PairState.OPEN
