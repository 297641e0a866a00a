"""The grader's pages: who opens them, what they start, what they say."""

import pytest
from django.urls import reverse
from kombu.exceptions import OperationalError

from annotation import tasks
from annotation.actions import grading
from annotation.actions.studies import add_guideline
from annotation.models import Grading
from annotation.vocabulary import GradingState
from models_runtime.demo import MODEL_PATH
from models_runtime.worker import BackendCache
from tests import cast
from tests.judging_models import a_judge, teach
from tests.reports.studies import a_varied_study

pytestmark = pytest.mark.django_db

FIELDS = {"backend": "scripted", "model": "echo", "repeats": "1", "keep": "min", "max_new_tokens": "200"}


@pytest.fixture
def alice(client):
    client.force_login(cast.alice())
    return client


@pytest.fixture(autouse=True)
def hinted(monkeypatch):
    """The gradings that workers were told of."""
    told: list[Grading] = []
    monkeypatch.setattr(tasks, "hint_grading", told.append)
    return told


def graded(study, tmp_path, says=None, **how) -> Grading:
    found = grading.start_grading(study, a_judge(tmp_path), **how)
    teach(found, says)
    while batch := grading.claim_batch(found.pk, "test"):
        grading.grade(batch, BackendCache())
    return found


def page_of(client, found, query="") -> str:
    answer = client.get(reverse("desk:grading", args=[found.study.slug, found.pk]) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_grading_is_started_from_the_page(alice, hinted):
    study = cast.a_rateable_study(1)
    add_guideline(study, "Be fair.")
    more = {"policy_given": "on", "repeats": "3", "keep": "mean", "temperature": "0.5"}
    answer = alice.post(reverse("desk:gradings", args=[study.slug]), {**FIELDS, **more})
    found = Grading.objects.get()
    assert answer.url == reverse("desk:grading", args=[study.slug, found.pk])
    assert (found.repeats, found.keep, found.guideline.version, hinted) == (3, "mean", 1, [found])
    assert (found.sampling["temperature"], found.sampling["max_new_tokens"]) == (0.5, 200)
    assert (
        f"Grading {found.number}</a>"
        in alice.get(reverse("desk:gradings", args=[study.slug])).content.decode()
    )


def test_a_refusal_is_said_on_the_form_and_starts_nothing(alice):
    study = cast.a_study()
    page = alice.post(reverse("desk:gradings", args=[study.slug]), FIELDS).content.decode()
    assert "no responses to grade" in page
    assert not Grading.objects.exists()


def test_the_page_shows_means_and_people_beside_the_grader(alice, tmp_path):
    study = a_varied_study(4)
    page = page_of(alice, graded(study, tmp_path))
    assert "Finished: 8 of 8\u00a0grades." in page
    assert "People and grader" in page and cast.ARMS[0] in page
    assert '<td class="number">1.00</td>' in page


def test_the_kept_value_can_be_chosen_when_reading(alice, tmp_path):
    says = lambda _, repeat: {"helpfulness": 1 if repeat else 4}  # noqa: E731
    found = graded(cast.a_rateable_study(1), tmp_path, says, repeats=2)
    assert '<td class="number">0.00</td>' in page_of(alice, found)
    assert '<td class="number">0.50</td>' in page_of(alice, found, "?keep=mean")


def test_failures_are_shown_with_their_text_which_runs_nothing(alice, tmp_path):
    found = graded(cast.a_rateable_study(1), tmp_path, lambda *_: "<script>alert(1)</script>")
    page = page_of(alice, found)
    assert "Finished without a verdict: none of 2\u00a0grades could be made." in page
    assert "The judge brought no verdict, so there is nothing to report." in page
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page


def test_a_grading_without_a_worker_says_so(alice):
    found = grading.start_grading(cast.a_rateable_study(1), grading.Judge("scripted", "echo"))
    assert "No worker is alive." in page_of(alice, found)
    fragment = alice.get(reverse("desk:grading", args=["kites", found.pk]), HTTP_HX_REQUEST="true")
    assert fragment.content.decode().startswith('<div id="grading"')


def test_a_finished_grading_misses_no_worker(alice, tmp_path):
    found = graded(cast.a_rateable_study(1), tmp_path)
    grading.start_grading(found.study, grading.Judge("scripted", "echo"))
    assert "No worker is alive." not in page_of(alice, found)


@pytest.mark.slow
def test_the_demo_model_is_no_judge_and_the_page_says_so(alice):
    study = cast.a_rateable_study(1)
    found = grading.start_grading(study, grading.Judge("transformers_local", str(MODEL_PATH)))
    grading.grade(grading.claim_batch(found.pk, "test"), BackendCache())
    page = page_of(alice, found)
    assert "none of 2\u00a0grades could be made" in page and "It takes a model that follows" in page


def test_a_grading_is_paused_and_resumed(alice, hinted):
    found = grading.start_grading(cast.a_rateable_study(1), grading.Judge("scripted", "echo"))
    for control, state in (("pause", "paused"), ("resume", "running")):
        alice.post(reverse("desk:control_grading", args=["kites", found.pk, control]))
        found.refresh_from_db()
        assert found.state == state
    assert hinted == [found]
    answer = alice.post(reverse("desk:control_grading", args=["kites", found.pk, "resume"]), follow=True)
    assert "Only a grading that is paused" in answer.content.decode()
    assert alice.post(reverse("desk:control_grading", args=["kites", found.pk, "burn"])).status_code == 404
    alice.post(reverse("desk:control_grading", args=["kites", found.pk, "pause"]))
    assert "misspelt model" in alice.get(reverse("desk:grading", args=["kites", found.pk])).content.decode()
    gone = alice.post(reverse("desk:control_grading", args=["kites", found.pk, "discard"]), follow=True)
    assert "Grading 1 was discarded." in gone.content.decode()


def test_a_grading_is_known_by_its_number_within_the_study_also_after_others_are_discarded(alice, tmp_path):
    grading.start_grading(cast.a_rateable_study(1, slug="boats"), a_judge(tmp_path))
    study = cast.a_rateable_study(1)
    misspelt = grading.start_grading(study, a_judge(tmp_path))
    found = grading.start_grading(study, a_judge(tmp_path), repeats=2)
    assert (misspelt.number, found.number) == (1, 2)
    grading.pause_grading(misspelt)
    grading.discard_grading(misspelt)
    assert '<h1 class="small muted">Grading 2</h1>' in page_of(alice, found)
    assert "Grading 2</a>" in alice.get(reverse("desk:gradings", args=["kites"])).content.decode()


def test_a_queue_that_is_down_only_delays(alice, monkeypatch):
    def down(found):
        raise OperationalError("no broker")

    study = cast.a_rateable_study(1)
    monkeypatch.setattr(tasks, "hint_grading", down)
    page = alice.post(reverse("desk:gradings", args=[study.slug]), FIELDS, follow=True).content.decode()
    assert "The queue does not answer." in page
    assert Grading.objects.get().state == GradingState.RUNNING


def test_for_others_the_pages_are_not_there(client):
    study = cast.a_rateable_study(1)
    found = grading.start_grading(study, grading.Judge("scripted", "echo"))
    pages = [reverse("desk:gradings", args=["kites"]), reverse("desk:grading", args=["kites", found.pk])]
    posts = [pages[0], reverse("desk:control_grading", args=["kites", found.pk, "pause"])]
    for person in (cast.bob(), cast.mallory()):
        client.force_login(person)
        assert {client.get(page).status_code for page in pages} == {404}
        assert {client.post(page).status_code for page in posts} == {404}


def test_a_grading_of_another_study_is_not_found_under_this_one(alice):
    found = grading.start_grading(cast.a_rateable_study(1), grading.Judge("scripted", "echo"))
    cast.a_study("other")
    assert alice.get(reverse("desk:grading", args=["other", found.pk])).status_code == 404


def test_no_page_has_inline_style_or_script(alice, tmp_path):
    found = graded(a_varied_study(2), tmp_path)
    for page in (page_of(alice, found), alice.get(reverse("desk:gradings", args=["kites"])).content.decode()):
        assert "style=" not in page and "<script>" not in page and "onclick" not in page
