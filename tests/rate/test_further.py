"""A study's further questions: asked of raters, checked, kept with the judgment, exported, fixed."""

import json
import uuid

import pyarrow.parquet
import pytest
from django.db import IntegrityError
from django.urls import reverse

from annotation.access import assignment_for
from annotation.actions import forking, judging, snapshots, studies
from annotation.actions.claims import claim_next_pair
from annotation.actions.tokens import make_token
from annotation.errors import InvalidAnswer, StudyRefused
from annotation.further import Question, answer_problems, question_problems
from annotation.models import Judgment, Study
from annotation.vocabulary import TokenScope
from tests import cast
from tests.api.test_rating import a_body

pytestmark = pytest.mark.django_db

CHOICE = Question("q1", "choice", "Which is shorter?", ("A", "B"), required=True)
SCALE = Question("q2", "scale", "How clear are they?", ("muddled", "clear"), steps=5)
TEXT = Question("q3", "text", "What is missing?")
GIVEN = {"q1": "B", "q2": 4}


@pytest.fixture
def study() -> Study:
    study = cast.a_rateable_study(3)
    studies.ask_further(study, [CHOICE, SCALE, TEXT], cast.alice())
    return study


@pytest.fixture
def bob(study):
    return cast.a_rater(study, cast.bob())


def fields(held, **more) -> dict:
    return cast.form_fields() | {"idempotency_key": uuid.uuid4().hex} | more


def send(client, held, **more):
    return client.post(reverse("rate:judge", args=[held.token]), fields(held, **more))


# The rating page -------------------------------------------------------------------------------------


def test_raters_are_asked_and_their_answers_kept(client, bob):
    client.force_login(bob.user)
    page = client.get(reverse("rate:next", args=["kites"])).content.decode()
    assert "Which is shorter?" in page and "5 clear" in page and "What is missing?" in page
    held = bob.assignments.get()
    sent = {"further-q1": "B", "further-q2": "4", "further-q3": ""}
    assert send(client, held, **sent).status_code == 200
    assert Judgment.objects.get().extra == GIVEN


def test_what_must_be_answered_is_named(client, bob):
    client.force_login(bob.user)
    held = claim_next_pair(bob)
    answer = send(client, held, **{"further-q2": "9"})
    page = answer.content.decode()
    assert answer.status_code == 422 and 'href="#q-further-q1"' in page and 'href="#q-further-q2"' in page
    assert not Judgment.objects.exists()


def test_answers_come_back_to_be_corrected_and_as_a_draft(client, bob):
    client.force_login(bob.user)
    held = claim_next_pair(bob)
    draft = {"answers": {"further-q1": "A", "further-q3": "A date"}, "seen": [], "version": 0}
    client.put(reverse("rate:draft", args=[held.token]), json.dumps(draft), content_type="application/json")
    page = client.get(reverse("rate:next", args=["kites"])).content.decode()
    assert "A date</textarea>" in page
    send(client, held, **{"further-q1": "B"})
    page = client.get(reverse("rate:revise", args=[held.token])).content.decode()
    assert 'name="further-q1" value="B" checked' in page


def test_a_study_without_any_keeps_none():
    cast.a_judgment(cast.a_rater(cast.a_rateable_study(1), cast.bob()))
    assert Judgment.objects.get().extra is None


# Programs --------------------------------------------------------------------------------------------


def test_a_program_is_told_the_questions_and_answers_them(client, bob):
    headers = {"Authorization": f"Token {make_token(bob.user, 'test', [TokenScope.RATE])[1]}"}
    claimed = client.post(reverse("api:claim", args=["kites"]), headers=headers).json()
    assert [one["name"] for one in claimed["questions"]] == ["q1", "q2", "q3"]
    address = reverse("api:judge", args=[claimed["id"]])
    for extra, status in (({"q2": 4}, 422), ({"q1": "C"}, 422), ({"q1": True}, 400), (GIVEN, 201)):
        body = json.dumps(a_body() | {"extra": extra})
        more = {"content_type": "application/json", "headers": headers | {"Idempotency-Key": "k"}}
        assert client.post(address, body, **more).status_code == status, extra
    assert Judgment.objects.get().extra == GIVEN


def test_answers_to_what_was_not_asked_are_refused():
    held = claim_next_pair(cast.a_rater(cast.a_rateable_study(1), cast.bob()))
    with pytest.raises(InvalidAnswer, match="There is no question “q1”"):
        judging.submit_judgment(held, cast.answers(extra={"q1": "A"}), uuid.uuid4().hex)


# Values ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        Question("q1", "choice", "Which?", ("A",)),
        Question("q1", "choice", "Which?", ("A", "A")),
        Question("q1", "scale", "How?", steps=1),
        Question("q1", "scale", "How?", ("only one end",), steps=5),
        Question("q1", "text", " "),
        Question("q1", "picture", "Which?"),
    ],
)
def test_what_is_no_question_is_refused(question):
    assert question_problems(question)


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ({"q1": "A"}, True),
        ({}, False),
        ({"q1": "C"}, False),
        ({"q1": "A", "q2": 6}, False),
        ({"q1": "A", "q2": "4"}, False),
    ],
)
def test_answers_are_checked(given, right):
    assert (answer_problems([CHOICE, SCALE, TEXT], given) == []) == right


# Kept and fixed --------------------------------------------------------------------------------------


def judged(study, bob) -> None:
    held = assignment_for(bob.user, claim_next_pair(bob).token)
    judging.submit_judgment(held, cast.answers(extra=GIVEN), uuid.uuid4().hex)


def test_questions_stay_once_they_were_answered(study, bob):
    judged(study, bob)
    with pytest.raises(StudyRefused, match="Fork the study"):
        studies.ask_further(study, [CHOICE], cast.alice())
    with pytest.raises(IntegrityError, match="study_asks_what_it_asked"):
        Study.objects.filter(pk=study.pk).update(further_questions=[])


def test_a_fork_may_ask_otherwise(study, bob):
    judged(study, bob)
    made = forking.fork_study(study, "Again", cast.alice())
    studies.ask_further(made, [TEXT], cast.alice())
    assert [one["name"] for one in Study.objects.get(pk=made.pk).further_questions] == ["q3"]


def test_a_snapshot_holds_questions_and_answers(study, bob):
    judged(study, bob)
    snapshot = snapshots.freeze_snapshot(study, cast.alice())
    rows = pyarrow.parquet.read_table(f"{snapshot.folder}/judgments.parquet").to_pylist()
    assert [json.loads(row["extra"]) for row in rows] == [GIVEN]
    assert [one["name"] for one in snapshot.manifest["study"]["further_questions"]] == ["q1", "q2", "q3"]


# The desk --------------------------------------------------------------------------------------------


def test_the_desk_adds_and_removes_questions(client):
    study = cast.a_rateable_study(1)
    client.force_login(cast.alice())
    told = {"wording": "Which is shorter?", "kind": "choice", "options": "A\nB", "required": "on"}
    client.post(reverse("desk:add_further", args=["kites"]), {f"further-{n}": v for n, v in told.items()})
    study.refresh_from_db()
    assert study.further_questions == [CHOICE.as_json()]
    answer = client.post(
        reverse("desk:add_further", args=["kites"]), {"further-wording": "How?", "further-kind": "choice"}
    )
    assert answer.status_code == 422 and "Give 2 to 12 answers" in answer.content.decode()
    assert 'setup/questions/further/#further"' in answer.content.decode()  # where the error is told
    client.post(reverse("desk:remove_further", args=["kites", "q1"]))
    study.refresh_from_db()
    assert study.further_questions == []
