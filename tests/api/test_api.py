"""The JSON side of the desk: who gets in, and that it says what the reports say."""

import pytest
from django.urls import reverse
from kombu.exceptions import OperationalError
from rest_framework.test import APIClient

from annotation import tasks
from annotation.actions.runs import start_run
from annotation.actions.studies import RESERVED
from annotation.models import Run, Study
from annotation.reports.agreement import agreement_report
from annotation.reports.outcomes import outcomes_report
from annotation.reports.winrates import win_rate_report
from tests import cast
from tests.reports.studies import a_varied_study

pytestmark = pytest.mark.django_db

LIST = "/api/v1/studies/"
READS = ("study", "runs", "progress", "agreement", "win_rates", "outcomes", "fairness", "flags")


def address(name: str, study: Study) -> str:
    return reverse(f"api:{name}", args=[study.slug])


def client_of(person) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {cast.a_token(person)}")
    return client


@pytest.fixture
def alice() -> APIClient:
    return client_of(cast.alice())


def test_without_a_token_or_session_nobody_gets_in():
    study = cast.a_study()
    for name in READS:
        answer = APIClient().get(address(name, study))
        assert answer.status_code == 401
        assert answer.json()["detail"]


def test_a_wrong_token_is_refused():
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Token 0123456789")
    assert client.get(reverse("api:studies")).status_code == 401


def test_a_session_of_the_desk_works_too(client):
    client.force_login(cast.alice())
    assert client.get(reverse("api:studies")).status_code == 200


def test_a_session_needs_the_csrf_token_to_write():
    study = cast.a_generating_study()
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(cast.alice())
    assert client.post(address("runs", study), {"samples": 1}).status_code == 403
    assert not Run.objects.exists()


def test_raters_are_refused():
    study, bob = cast.a_rateable_study(), client_of(cast.bob())
    assert {bob.get(address(name, study)).status_code for name in READS} == {403}
    assert bob.post(address("runs", study)).status_code == 403


def test_mallory_finds_nothing():
    study, mallory = cast.a_generating_study(), client_of(cast.mallory())
    answers = [mallory.get(address(name, study)) for name in READS] + [mallory.post(address("runs", study))]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["detail"] for answer in answers} == {"You have no study of that name."}
    assert mallory.get(reverse("api:studies")).json()["results"] == []


def test_what_is_not_there_looks_like_what_is_not_theirs(alice):
    answer = alice.get(reverse("api:study", args=["no-such-study"]))
    assert (answer.status_code, answer.json()["detail"]) == (404, "You have no study of that name.")


def test_studies_are_listed_in_pages(alice):
    for number in range(3):
        cast.a_study(f"study-{number}")
    page = alice.get(reverse("api:studies"), {"page_size": 2}).json()
    cast.a_study("arrived-meanwhile")
    rest = alice.get(page["next"]).json()
    slugs = [study["slug"] for study in [*page["results"], *rest["results"]]]
    assert slugs == ["study-2", "study-1", "study-0"] and rest["next"] is None


def test_a_study_says_what_it_is(alice):
    study = cast.a_generating_study()
    said = alice.get(address("study", study)).json()
    assert (said["slug"], said["state"], said["arms"]) == (study.slug, "open", ["one"])


def test_the_reports_are_those_of_the_desk(alice):
    study = a_varied_study()
    wins = alice.get(address("win_rates", study)).json()
    report = win_rate_report(study)
    assert wins["headlines"][0]["rate"]["value"] == report.headlines[0].rate.value
    assert [row["wins"] for row in wins["rows"]] == [row.wins for row in report.rows]
    assert wins["rule"] == report.rule
    agreement = alice.get(address("agreement", study)).json()
    assert [question["alpha"]["value"] for question in agreement["questions"]] == [
        question.alpha.value for question in agreement_report(study).questions
    ]
    outcomes = alice.get(address("outcomes", study)).json()
    assert [row["safe"]["estimate"]["n"] for row in outcomes["rows"]] == [
        row.safe.estimate.n for row in outcomes_report(study).rows
    ]
    assert outcomes["rows"][0]["safe"]["few"] is True
    assert alice.get(address("progress", study)).json()["judgments"] == 24


def test_agreement_can_be_asked_of_one_arm(alice):
    study = a_varied_study(3)
    said = alice.get(address("agreement", study), {"arm": cast.ARMS[1]}).json()
    assert said["arm_name"] == cast.ARMS[1]
    for name in ("nothing", "\0", cast.ARMS[0] + "\0"):
        assert alice.get(address("agreement", study), {"arm": name}).status_code == 404


def test_reports_of_an_empty_study_are_empty_and_not_an_error(alice):
    study = cast.a_study()
    for name in READS:
        assert alice.get(address(name, study)).status_code == 200


def test_a_run_is_started(alice, hints):
    study = cast.a_generating_study()
    answer = alice.post(address("runs", study), {"samples": 2}, format="json")
    run = Run.objects.get()
    assert (answer.status_code, answer.json()["id"], hints) == (201, run.pk, [run])
    assert answer.json()["progress"]["total"] == 2
    listed = alice.get(address("runs", study)).json()["results"]
    assert [row["id"] for row in listed] == [run.pk]
    assert alice.get(reverse("api:run", args=[study.slug, run.pk])).json()["state"] == "running"


@pytest.mark.parametrize("samples", [0, 9, "many", None])
def test_a_wrong_number_of_samples_is_refused(alice, hints, samples):
    answer = alice.post(address("runs", cast.a_generating_study()), {"samples": samples}, format="json")
    assert answer.status_code == 400
    assert "samples" in answer.json()["errors"]
    assert not Run.objects.exists()


def test_a_run_is_controlled_and_the_reply_says_how_it_stands(alice, hints):
    study = cast.a_generating_study()
    pk = alice.post(address("runs", study), {"samples": 1}).json()["id"]

    def tell(control):
        return alice.post(reverse("api:control_run", args=[study.slug, pk, control]))

    assert tell("pause").json()["state"] == "paused"
    assert tell("resume").json()["state"] == "running"
    assert tell("retry").status_code == 409
    assert tell("cancel").json()["state"] == "cancelled"
    assert tell("explode").status_code == 404
    assert len(hints) == 2


def test_only_the_studys_researchers_control_its_runs(hints):
    study = cast.a_generating_study()
    run = start_run(study)
    answer = client_of(cast.mallory()).post(reverse("api:control_run", args=[study.slug, run.pk, "cancel"]))
    assert answer.status_code == 404
    run.refresh_from_db()
    assert run.state == "running"


def test_a_dry_run_is_asked_for_and_read(alice, monkeypatch):
    study = cast.a_generating_study()
    monkeypatch.setattr(tasks.dry_run, "delay", lambda *ids: tasks.dry_run(*ids))
    assert alice.get(address("dry_run", study)).status_code == 404
    assert alice.post(address("dry_run", study)).status_code == 202
    (entry,) = alice.get(address("dry_run", study)).json()["rendered"]
    assert entry["arm"] == "one" and study.prompts.get().messages[0]["content"] in entry["text"]
    assert not Run.objects.exists()


def test_a_dry_run_without_a_queue_says_so(alice, monkeypatch):
    def down(*ids):
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks.dry_run, "delay", down)
    answer = alice.post(address("dry_run", cast.a_generating_study()))
    assert answer.status_code == 503 and "nothing was rendered" in answer.json()["detail"]


def test_only_the_studys_researchers_ask_for_a_dry_run(monkeypatch):
    monkeypatch.setattr(tasks.dry_run, "delay", lambda *ids: pytest.fail("a worker was asked"))
    mallory = client_of(cast.mallory())
    assert mallory.post(address("dry_run", cast.a_generating_study())).status_code == 404


def test_a_run_that_cannot_start_is_a_conflict_with_its_reason(alice, hints):
    answer = alice.post(address("runs", cast.a_study()), {"samples": 1}, format="json")
    assert answer.status_code == 409
    assert "No arm of this study names a backend." in answer.json()["detail"]


def test_a_broker_that_is_down_loses_no_run(alice, monkeypatch):
    def down(run):
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks, "hint", down)
    answer = alice.post(address("runs", cast.a_generating_study()), {"samples": 1}, format="json")
    assert answer.status_code == 201
    assert "starts by itself" in answer.json()["detail"]
    assert Run.objects.get().batches.filter(state="queued").exists()


def test_malformed_json_is_refused_with_a_sentence(alice, hints):
    answer = alice.post(address("runs", cast.a_generating_study()), "{", content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_the_list_of_runs_costs_the_same_queries_however_long_it_is(alice, django_assert_num_queries):
    study = cast.a_generating_study()
    alice.get(address("runs", study))  # the first use of a token is noted
    for count in (1, 12):
        Run.objects.bulk_create([Run(study=study, seed=1, state="done") for _ in range(count)])
        with django_assert_num_queries(3):
            assert "progress" not in alice.get(address("runs", study)).json()["results"][0]


def test_a_misspelt_field_is_refused_and_starts_nothing(alice, hints):
    answer = alice.post(address("runs", cast.a_generating_study()), {"sample": 3}, format="json")
    told = ["No such field; there are: samples."]
    assert (answer.status_code, answer.json()["errors"]) == (400, {"sample": told})
    assert not Run.objects.exists()


BAD_BODIES = {
    "nested without end": b"[" * 100_000,
    "a name twice": b'{"samples": 1, "samples": 2}',
    "not a number": b'{"samples": NaN}',
    "larger than any number": b'{"samples": 1e999}',
    "digits without end": b'{"samples": ' + b"9" * 5_000 + b"}",
    "half a character": rb'{"samples": 1, "x": "\ud800"}',
    "no UTF-8": b'{"samples": "\xff"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_cannot_be_taken_is_a_400_with_a_sentence(alice, hints, body):
    answer = alice.post(address("runs", cast.a_generating_study()), body, content_type="application/json")
    assert answer.status_code == 400 and answer.json()["detail"].endswith(".")
    assert not Run.objects.exists()


@pytest.mark.parametrize("charset", ["zlib", "rot13", "hex", "utf-16"])
def test_a_body_is_utf_8_whatever_the_request_says(alice, hints, charset):
    kind = f"application/json; charset={charset}"
    answer = alice.post(address("runs", cast.a_generating_study()), b'{"samples": 2}', content_type=kind)
    assert (answer.status_code, answer.json()["samples"]) == (201, 2)


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_that_is_too_large_is_said(alice, hints, settings, kind):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    field = b'--x\r\nContent-Disposition: form-data; name="samples"\r\n\r\n1'
    body = (field if "multipart" in kind else b'{"samples": 1') + b" " * 1_000
    body += b"\r\n--x--\r\n" if "multipart" in kind else b"}"
    answer = alice.post(address("runs", cast.a_generating_study()), body, content_type=kind)
    assert answer.status_code == 413 and "too large" in answer.json()["detail"]
    assert not Run.objects.exists()


def test_a_form_of_thousands_of_fields_is_a_400_with_a_sentence(alice, hints):
    fields = "&".join(f"f{number}=1" for number in range(5_000))
    kind = "application/x-www-form-urlencoded"
    answer = alice.post(address("runs", cast.a_generating_study()), fields, content_type=kind)
    assert answer.status_code == 400 and answer.json()["detail"]


def test_an_account_for_a_rater_is_told_its_address_once_and_the_name_is_had_once():
    study, alice = cast.a_study(), client_of(cast.alice())
    where = reverse("api:rater_accounts", args=[study.slug])
    made = alice.post(where, {"username": "erin"}).json()
    assert "/accounts/password/reset/key/" in made["address"] and made["username"] == "erin"
    listed = alice.get(reverse("api:raters", args=[study.slug])).json()["results"]
    assert [(row["id"], "address" in row) for row in listed] == [(made["id"], False)]
    again = alice.post(where, {"username": "ERIN"})
    assert again.status_code == 409 and "already" in again.json()["detail"]


# What the desk refuses, too ---------------------------------------------------------------------------


@pytest.mark.parametrize("slug", RESERVED)
def test_a_word_of_the_desks_own_addresses_names_no_study(alice, slug):
    answer = alice.post(LIST, {"slug": slug, "title": "Kites"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "study-refused")
    assert not Study.objects.exists()


def test_a_category_that_prompts_have_stays(alice):
    study = cast.a_study()
    cast.a_prompt(study, harm_category="hate")
    answer = alice.patch(f"{LIST}kites/", {"harm_categories": ["erotic"]}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "study-refused")
    assert "hate" in answer.json()["detail"]


def test_only_a_category_of_the_study_is_blurred(alice):
    cast.a_study()
    answer = alice.patch(f"{LIST}kites/", {"blurred_categories": ["weather"]}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "study-refused")


def test_a_category_hides_nothing(alice):
    cast.a_study()
    answer = alice.patch(f"{LIST}kites/", {"harm_categories": ["ha\u202ete"]}, format="json")
    assert answer.status_code == 409


def test_prompts_that_come_in_are_on_the_record(alice):
    study = cast.a_study()
    prompt = {"key": "one", "messages": [{"role": "user", "content": "Why?"}], "intent": "benign"}
    assert alice.post(f"{LIST}kites/prompts/", prompt, format="json").status_code == 201
    many = {"prompts": [prompt | {"key": key} for key in ("two", "three")]}
    assert alice.post(f"{LIST}kites/prompts/many/", many, format="json").json() == {"added": 2}
    told = [(event.actor.username, event.detail) for event in study.events.filter(verb="add_prompts")]
    assert told == [("alice", {"prompts": 2, "first": "two"}), ("alice", {"prompts": 1, "first": "one"})]
