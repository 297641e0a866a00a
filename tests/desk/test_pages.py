"""What the desk says equals what the reports say, and its buttons do what they name."""

import io
import re
import tracemalloc
import uuid
import zipfile

import pytest
from django.conf import settings
from django.db.models import CharField, Value
from django.db.models.functions import Concat
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from annotation import tasks
from annotation.actions import freezing, printing, runs
from annotation.actions.members import add_member
from annotation.actions.snapshots import freeze_snapshot
from annotation.desk import cards, views, words
from annotation.models import Enrolment, Run, Snapshot
from annotation.reports.winrates import INTERVAL, SEQUENCE, Headline
from annotation.stats.estimate import Estimate, undefined
from annotation.vocabulary import StudyRole
from tests import cast, full_disk
from tests.reports.studies import a_varied_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    client.force_login(cast.alice())
    return client


def text_of(client, name: str, *args) -> str:
    answer = client.get(reverse(f"desk:{name}", args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def test_no_page_has_inline_style_or_script(alice):
    study = a_varied_study(3)
    for name in ("study", "raters", "responses", "snapshots"):
        page = text_of(alice, name, study.slug)
        assert "style=" not in page and "<style" not in page
        assert "<script>" not in page and "onclick" not in page


def test_whoever_rates_elsewhere_finds_the_way_there(client):
    study = cast.a_study()
    add_member(study, cast.bob(), StudyRole.VIEWER)
    client.force_login(cast.bob())
    assert "You rate, too" not in text_of(client, "studies")
    cast.a_rater(cast.a_study("boats"), cast.bob())
    assert f'You rate, too: <a href="{reverse("rate:home")}"' in text_of(client, "studies")


# Words -----------------------------------------------------------------------------------------------


def test_a_headline_says_when_nobody_is_ahead():
    undecided = _headline(Estimate(0.52, 0.46, 0.58, 90), Estimate(0.52, 0.43, 0.61, 300), decided=False)
    assert words.headline(undecided) == (
        "Neither is ahead for sure: one wins 52\u00a0% (46–58; watched 43–61) of 1,204\u00a0judgments."
    )


def test_a_headline_says_who_wins():
    decided = _headline(Estimate(0.62, 0.57, 0.67, 90), Estimate(0.62, 0.54, 0.69, 300), decided=True)
    assert words.headline(decided) == "one wins 62\u00a0% (57–67; watched 54–69) of 1,204\u00a0judgments."


def test_a_headline_of_a_running_study_says_which_interval_decides():
    running = _headline(
        Estimate(0.57, 0.52, 0.62, 90), Estimate(0.57, 0.48, 0.66, 300), decided=False, decides=SEQUENCE
    )
    assert words.headline(running) == (
        "Neither is ahead for sure: one wins 57\u00a0% (52–62; watched 48–66) of 1,204\u00a0judgments. "
        "Not all judgments are in, so the watched interval decides."
    )


def test_a_headline_without_a_watched_interval_says_why():
    running = _headline(Estimate(0.57, 0.52, 0.62, 90), decided=False, decides=SEQUENCE)
    assert words.headline(running).endswith(
        "one wins 57\u00a0% (52–62) of 1,204\u00a0judgments. Not all judgments are in, so the watched "
        "interval decides. No prompt has all of its judgments yet."
    )


def test_a_headline_of_nothing_but_ties_names_no_winner():
    even = _headline(Estimate(0.5, None, None, 90, "All the same."), decided=False)
    assert words.headline(even) == "Neither is ahead: one and two share 1,204\u00a0judgments evenly."


def test_a_headline_of_few_prompts_says_that_it_is_too_early():
    early = _headline(Estimate(0.78, 0.67, 1.0, 9), decided=False, prompts=3)
    assert words.headline(early).startswith("Too early to say: one wins 78")
    assert words.headline(early).endswith("on only 3\u00a0prompts.")


UNWATCHED = undefined(0, "No prompt has all of its judgments yet.")


def _headline(
    rate: Estimate,
    watched: Estimate = UNWATCHED,
    *,
    decided: bool,
    prompts: int = 300,
    decides: str = INTERVAL,
) -> Headline:
    return Headline("one", "two", rate, watched, decides, decided, judgments=1204, prompts=prompts)


def test_numbers_that_do_not_exist_are_a_dash():
    assert (words.percent(None), words.decimal(None)) == ("–", "–")
    assert words.decimal(-0.004) == "0.00"
    assert words.decimal(-0.5) == "−0.50"


# The study -------------------------------------------------------------------------------------------


def test_a_study_is_opened_and_closed(alice):
    study = cast.a_study(state="draft")
    address = reverse("desk:set_state", args=[study.slug])
    for state in ("open", "closed"):
        alice.post(address, {"state": state})
        study.refresh_from_db()
        assert study.state == state


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ((), "because there are no pairs"),
        (("held", "held"), "all of its pairs wait for review"),
        (("held", "open"), ""),
    ],
)
def test_opening_a_study_with_nothing_to_rate_says_what_to_do(alice, states, said):
    study = cast.a_rateable_study(pairs=len(states))
    for pair, state in zip(study.pairs.all(), states, strict=True):
        study.pairs.filter(pk=pair.pk).update(state=state)
    opened = alice.post(reverse("desk:set_state", args=[study.slug]), {"state": "open"}, follow=True)
    assert "The study is now: open" in opened.content.decode()
    assert said in opened.content.decode() and ("Raters get nothing" in opened.content.decode()) == bool(said)


def test_a_study_goes_to_no_other_state(alice):
    study = cast.a_study()
    alice.post(reverse("desk:set_state", args=[study.slug]), {"state": "draft"})
    study.refresh_from_db()
    assert study.state == "open"


def test_a_rater_is_enrolled_by_name(alice):
    study = cast.a_study()
    cast.bob()
    alice.post(reverse("desk:raters", args=[study.slug]), {"username": " bob "})
    assert Enrolment.objects.get().user == cast.bob()


def test_a_name_that_nobody_has_is_said(alice):
    study = cast.a_study()
    answer = alice.post(reverse("desk:raters", args=[study.slug]), {"username": "nobody"})
    assert "There is no active user “nobody”." in answer.content.decode()
    assert not Enrolment.objects.exists()


def made_account(client, study, name: str = "eve") -> tuple[str, str]:
    """The page that is shown once, and the address on it."""
    page = client.post(reverse("desk:make_account", args=[study.slug]), {"new-username": name})
    found = re.search(r"http://testserver(/accounts/password/reset/key/[^<]+)<", page.content.decode())
    return page.content.decode(), found[1] if found else ""


def test_an_account_is_made_for_a_rater_who_chooses_the_password_once(alice):
    study = cast.a_study()
    page, address = made_account(alice, study)
    place = Enrolment.objects.get()
    assert (place.user.username, place.user.is_staff) == ("eve", False) and place.code in page
    event = study.events.get(verb="make_account")
    assert (event.actor, event.detail) == (
        cast.alice(),
        {"rater": place.code},
    )  # no name: it can be forgotten
    eve = Client()
    form = eve.get(address, follow=True)
    page = form.content.decode()
    assert "<h1>Choose a password</h1>" in page and "eve" in page and "Change" not in page
    chosen = {"password1": "long enough words", "password2": "long enough words"}
    done = eve.post(form.redirect_chain[-1][0], chosen, follow=True).content.decode()
    assert "<h1>Your password is kept</h1>" in done and "hange" not in done
    assert f'href="{reverse("login")}"' in done  # nothing else on the page leads on
    eve.post(reverse("login"), {"username": "eve", "password": "long enough words"})
    assert study.title in eve.get("/rate/").content.decode()
    again = Client().get(address, follow=True).content.decode()
    assert "This link does not work any more" in again and "password1" not in again  # it was for once


def test_a_link_that_was_lost_is_given_again_until_a_password_is_chosen(alice):
    study = cast.a_study()
    made_account(alice, study)
    place = Enrolment.objects.get()
    again = reverse("desk:account_link", args=[study.slug, place.pk])
    assert again in text_of(alice, "rater", study.slug, place.pk)
    assert "/accounts/password/reset/key/" in alice.post(again).content.decode()
    place.user.set_password("long enough words")
    place.user.save(update_fields=["password"])
    assert again not in text_of(alice, "rater", study.slug, place.pk)
    answer = alice.post(again, follow=True).content.decode()
    assert "It is its owner’s." in answer.replace("&#x27;", "’") and "/reset/key/" not in answer


def test_nobody_elses_account_is_opened_by_a_link(alice):
    study = cast.a_study()
    place = cast.a_rater(study, cast.bob())
    type(place.user).objects.filter(pk=place.user_id).update(
        password="!"
    )  # as of whoever comes by a provider
    again = reverse("desk:account_link", args=[study.slug, place.pk])
    assert "/reset/key/" not in alice.post(again, follow=True).content.decode()


@pytest.mark.parametrize("name", ["BOB", "a b", "eve\u202e", "", "x" * 151])
def test_an_account_by_a_name_that_cannot_be_is_refused_with_the_reason(alice, name):
    study = cast.a_study()
    cast.bob()
    page, address = made_account(alice, study, name)
    assert "errorlist" in page and not address and not Enrolment.objects.exists()


def test_a_researcher_who_enrols_herself_is_told_why_not(alice):
    study = cast.a_study()
    answer = alice.post(reverse("desk:raters", args=[study.slug]), {"username": "alice"})
    assert "cannot judge them blind" in answer.content.decode()
    assert not Enrolment.objects.exists()


def test_responses_show_where_they_come_from_and_run_nothing(alice):
    study = cast.a_study()
    response = cast.a_response(cast.a_prompt(study), cast.an_arm(study, "one"), "<script>alert(1)</script>")
    response.provenance = {"file": "answers.jsonl", "line": 7}
    response.save(update_fields=["provenance"])
    page = text_of(alice, "responses", study.slug)
    assert "answers.jsonl" in page
    assert "<script>alert" not in page


def test_a_long_text_is_shown_in_part_and_linked_whole(alice):
    study = cast.a_study()
    prompt, arm = cast.a_prompt(study), cast.an_arm(study, "one")
    prompt.messages = [{"role": "user", "content": "Why? " * 10_000 + "<end>"}]
    prompt.save(update_fields=["messages"])
    response, short = "So. " * 10_000 + "<end>", "x" * cards.EXCERPT
    long = cast.a_response(prompt, arm, response)
    cast.a_response(prompt, arm, short, sample=1)
    page = text_of(alice, "responses", study.slug)
    assert len(page) < 6 * cards.EXCERPT and "end&gt;" not in page and short in page
    for name, pk, whole in (
        ("response_text", long.pk, response),
        ("prompt_text", prompt.pk, prompt.last_message),
    ):
        answer = alice.get(reverse(f"desk:{name}", args=[study.slug, pk]))
        assert page.count(answer.request["PATH_INFO"]) == 1
        assert (answer["Content-Type"], answer.content.decode()) == ("text/plain; charset=utf-8", whole)


def test_the_page_of_responses_fetches_no_whole_answer(alice):
    study = cast.a_study()
    prompt, arm = cast.a_prompt(study), cast.an_arm(study, "one")
    for sample in range(3):
        cast.a_response(prompt, arm, "x" * 3_000_000, sample)
    tracemalloc.start()
    text_of(alice, "responses", study.slug)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_a_report_that_is_there_can_be_made_again(alice, settings, tmp_path):
    settings.REPORTS = tmp_path
    snapshot = freeze_snapshot(a_varied_study(2))
    assert "Make the report" in text_of(alice, "snapshots", snapshot.study.slug)
    file = printing.report_file(snapshot, "html")
    file.parent.mkdir(parents=True)
    file.write_text("<!doctype html><title>Report</title>")
    page = text_of(alice, "snapshots", snapshot.study.slug)
    assert "Make it again" in page and reverse("desk:ask_report", args=[snapshot.study.slug, 1]) in page


# Runs ------------------------------------------------------------------------------------------------


def test_a_started_run_is_hinted_and_shown(alice, hints):
    study = cast.a_generating_study()
    answer = alice.post(reverse("desk:start_run", args=[study.slug]), {"samples": "2"})
    run = Run.objects.get()
    assert (run.samples, hints) == (2, [run])
    assert answer.url == reverse("desk:run", args=[study.slug, run.pk])


def a_second_study_with_a_run() -> Run:
    """Of which the first run is the installation's third."""
    first = cast.a_generating_study()
    for _ in range(2):
        runs.cancel_run(runs.start_run(first))
    study = cast.a_study("boats")
    cast.an_arm(study, "one")
    cast.a_prompt(study)
    return runs.start_run(study)


def test_a_run_is_known_by_its_number_within_the_study(alice):
    run = a_second_study_with_a_run()
    assert run.pk != run.number == 1
    pages = [("run", run.pk), ("study",), ("running",), ("setup_generation",)]
    for name, *more in pages:
        page = text_of(alice, name, "boats", *more)
        assert "Run 1" in page and f"Run {run.pk}" not in page, name
    assert "run_number: 1" in text_of(alice, "record", "boats")
    runs.cancel_run(run)
    runs.start_run(run.study)
    assert "Run 2</a>" in text_of(alice, "study", "boats")


@pytest.mark.parametrize("samples", ["0", "9", "many", ""])
def test_a_wrong_number_of_samples_starts_nothing(alice, hints, samples):
    study = cast.a_generating_study()
    answer = alice.post(reverse("desk:start_run", args=[study.slug]), {"samples": samples}, follow=True)
    assert "responses per prompt and arm are 1 to 8" in answer.content.decode()
    assert not Run.objects.exists() and not hints


def test_a_run_that_cannot_start_says_why(alice, hints):
    study = cast.a_study()
    answer = alice.post(reverse("desk:start_run", args=[study.slug]), {"samples": "1"}, follow=True)
    assert "No arm of this study names a backend." in answer.content.decode()
    assert not hints


def test_a_broker_that_is_down_loses_no_run(alice, monkeypatch):
    def down(run):
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks, "hint", down)
    study = cast.a_generating_study()
    answer = alice.post(reverse("desk:start_run", args=[study.slug]), {"samples": "1"}, follow=True)
    assert Run.objects.get().batches.filter(state="queued").exists()
    assert views.QUEUE_IS_DOWN in answer.content.decode()


def test_an_unfinished_run_polls_and_a_finished_one_does_not(alice):
    study = cast.a_generating_study()
    run = runs.start_run(study)
    address = reverse("desk:run", args=[study.slug, run.pk])
    assert 'hx-trigger="every 2s"' in alice.get(address).content.decode()
    fragment = alice.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment and 'hx-trigger="every 2s"' in fragment
    Run.objects.update(state="done")
    assert "hx-trigger" not in alice.get(address, headers={"HX-Request": "true"}).content.decode()


def test_a_failed_run_says_why_and_is_resumed(alice, hints):
    study = cast.a_generating_study()
    run = runs.start_run(study)
    runs.fail_batch(runs.claim_batch(run.pk, "w"), "The model <x> does not load.")
    assert "The model &lt;x&gt; does not load." in text_of(alice, "run", study.slug, run.pk)
    alice.post(reverse("desk:control_run", args=[study.slug, run.pk, "resume"]))
    run.refresh_from_db()
    assert (run.state, hints) == ("running", [run])


def test_a_run_that_did_not_fail_is_not_resumed(alice, hints):
    study = cast.a_generating_study()
    run = runs.start_run(study)
    answer = alice.post(reverse("desk:control_run", args=[study.slug, run.pk, "resume"]), follow=True)
    assert "Only a run that is paused or stopped by a failure can be resumed." in answer.content.decode()
    assert not hints


def test_the_desk_says_that_no_worker_is_alive_while_work_waits(alice):
    study = cast.a_generating_study()
    assert "No worker is alive." not in text_of(alice, "studies")
    runs.start_run(study)
    assert "No worker is alive." in text_of(alice, "studies")
    runs.note_worker("gpu@here", "gpu")
    assert "No worker is alive." not in text_of(alice, "studies")


# Snapshots -------------------------------------------------------------------------------------------


def test_a_snapshot_is_frozen_and_downloaded(alice):
    study = a_varied_study(3)
    alice.post(reverse("desk:freeze_snapshot", args=[study.slug]))
    snapshot = Snapshot.objects.get()
    assert snapshot.created_by == cast.alice()
    answer = alice.get(reverse("desk:snapshot", args=[study.slug, snapshot.number]))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert archive.testzip() is None
    assert f"{study.slug}-snapshot-1/manifest.json" in archive.namelist()


def test_a_study_without_judgments_freezes_nothing_and_says_so(alice):
    study = cast.a_rateable_study()
    answer = alice.post(reverse("desk:freeze_snapshot", args=[study.slug]), follow=True)
    assert "has no judgment yet" in answer.content.decode()
    assert not Snapshot.objects.exists()


@pytest.fixture
def queued(monkeypatch) -> list[int]:
    """Freezings that workers were told about; every study is too large to be frozen at once."""
    told = []
    monkeypatch.setattr(freezing, "AT_ONCE", 5)
    monkeypatch.setattr(tasks.freeze_snapshot, "delay", told.append)
    return told


def test_a_large_study_is_frozen_by_a_worker(alice, queued):
    study = a_varied_study(3)
    for _ in range(2):
        alice.post(reverse("desk:freeze_snapshot", args=[study.slug]))
    assert queued == [study.freezings.get().pk]
    page = text_of(alice, "snapshots", study.slug)
    assert "Waits for a worker." in page and "already" in page and "hx-trigger" in page
    assert "Freeze a snapshot" not in page
    tasks.freeze_snapshot(*queued)
    assert Snapshot.objects.get().study == study
    page = text_of(alice, "snapshots", study.slug)
    assert "Waits for a worker." not in page and "hx-trigger" not in page and "Freeze a snapshot" in page


def test_a_freezing_is_watched_and_stopped(alice, queued):
    study = a_varied_study(3)
    alice.post(reverse("desk:freeze_snapshot", args=[study.slug]))
    study.freezings.update(
        state="claimed",
        claim=uuid.uuid4(),
        lease_until=timezone.now(),
        table="judgments.parquet",
        rows_written=1_234,
        rows_expected=5_000,
    )
    address = reverse("desk:snapshots", args=[study.slug])
    part = alice.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "Writing judgments.parquet: 1,234 of about 5,000 rows." in part
    assert '<progress max="5000" value="1234"' in part and "<html" not in part
    stop = reverse("desk:stop_freezing", args=[study.slug, 1])
    assert "Stopping" in alice.post(stop, follow=True).content.decode()
    assert study.freezings.get().stop_asked
    study.freezings.update(state="cancelled", claim=None, lease_until=None)
    assert "Nothing of it was kept." in text_of(alice, "snapshots", study.slug)
    assert "nothing to stop" in alice.post(stop, follow=True).content.decode()


def test_a_freezing_that_no_worker_hears_of_waits(alice, queued, monkeypatch):
    def fails(*args):
        raise OSError("connection refused")

    monkeypatch.setattr(tasks.freeze_snapshot, "delay", fails)
    study = a_varied_study(3)
    alice.post(reverse("desk:freeze_snapshot", args=[study.slug]))
    page = text_of(alice, "snapshots", study.slug)
    assert "The queue does not answer." in page and "Waits for a worker." in page


def test_each_file_of_a_snapshot_is_fetched_by_itself(alice):
    study = a_varied_study(3)
    alice.post(reverse("desk:freeze_snapshot", args=[study.slug]))
    snapshot = Snapshot.objects.get()
    page = text_of(alice, "snapshots", study.slug)
    for name, told in snapshot.manifest["files"].items():
        address = reverse("desk:snapshot_file", args=[study.slug, 1, name])
        assert address in page
        answer = alice.get(address, headers={"Range": "bytes=0-9"})
        assert answer["ETag"] == f'"{told["sha256"]}"' and answer.status_code in (206, 416)
    for name in ("nothing.jsonl", "..%2Fmanifest.json", "%2Fetc%2Fpasswd"):
        assert alice.get(f"{reverse('desk:snapshots', args=[study.slug])}1/files/{name}").status_code == 404


def test_the_archive_of_a_snapshot_goes_on_where_it_broke_off(alice):
    study = a_varied_study(3)
    alice.post(reverse("desk:freeze_snapshot", args=[study.slug]))
    address = reverse("desk:snapshot", args=[study.slug, 1])
    whole = alice.get(address)
    content = b"".join(whole.streaming_content)
    headers = {"Range": "bytes=100-", "If-Range": whole["ETag"]}
    rest = alice.get(address, headers=headers)
    assert (rest.status_code, b"".join(rest.streaming_content)) == (206, content[100:])
    for kept in settings.ARCHIVES.iterdir():
        kept.unlink()  # made anew, it may differ in its bytes
    assert alice.get(address, headers=headers).status_code == 200


def test_an_archive_for_which_the_disk_has_no_room_is_told_with_what_to_do(alice, monkeypatch):
    study = a_varied_study(3)
    alice.post(reverse("desk:freeze_snapshot", args=[study.slug]))
    full_disk.fill(monkeypatch)
    reply = alice.get(reverse("desk:snapshot", args=[study.slug, 1]))
    page = reply.content.decode()
    assert reply.status_code == 507 and "disk is full" in page and "one by one" in page
    assert f'href="{reverse("desk:snapshots", args=[study.slug])}">' in page
    assert not list(settings.ARCHIVES.iterdir())


def test_files_that_are_gone_are_not_found(alice):
    study = cast.a_study()
    Snapshot.objects.create(study=study, number=1, folder="/nowhere", manifest={})
    assert alice.get(reverse("desk:snapshot", args=[study.slug, 1])).status_code == 404


# Dry run ---------------------------------------------------------------------------------------------


def test_a_dry_run_is_asked_for_and_shown(alice, monkeypatch):
    study = cast.a_study()
    cast.an_arm(study, "one", system_prompt="<b>Be brief.</b>")
    cast.a_prompt(study, "first")
    monkeypatch.setattr(tasks.dry_run, "delay", lambda *ids: tasks.dry_run(*ids))
    address = reverse("desk:dry_run", args=[study.slug])
    assert "Nothing was rendered yet." in alice.get(address).content.decode()
    page = alice.post(address, follow=True).content.decode()
    assert "one · first" in page
    assert "&lt;b&gt;Be brief.&lt;/b&gt;" in page and "<b>Be brief" not in page


def test_a_dry_run_without_a_queue_says_so(alice, monkeypatch):
    def down(*ids):
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks.dry_run, "delay", down)
    address = reverse("desk:dry_run", args=[cast.a_study().slug])
    assert "nothing was rendered" in alice.post(address, follow=True).content.decode()


def test_names_stored_with_hidden_characters_show_them(client):
    study = cast.a_study()
    prompt = cast.a_prompt(study)
    study.prompts.update(key="p\u00ad1")
    for name in cast.ARMS:
        cast.a_response(prompt, cast.an_arm(study, name))
    cast.make_pairs(study)
    rater = cast.a_rater(study, cast.bob())
    cast.a_judgment(rater)
    type(rater).objects.filter(pk=rater.pk).update(code="rater\u202e1\u200b")
    study.arms.update(name=Concat(Value("arm\u2066"), "position", output_field=CharField()))
    client.force_login(cast.alice())
    for name in ("study", "raters", "quality", "responses"):
        page = client.get(reverse(f"desk:{name}", args=["kites"])).content.decode()
        assert "⟦U+" in page and not set("\u202e\u200b\u2066\u00ad") & set(page), name
