"""The demo's people and its commands."""

from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from annotation.actions.arms import freeze_arm
from annotation.actions.pairing import make_pairs
from annotation.management import demo
from annotation.management.commands.demo import Command
from annotation.management.simulated import SimulatedRater, read_form
from annotation.models import Enrolment, Gold, Judgment, Run, Snapshot, Study, User
from annotation.reports.quality import quality_report
from tests.actions.test_reviewing import a_marked_study
from tests.cast import a_prompt, a_rateable_study, a_rater, a_response, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _a_folder_of_its_own(monkeypatch, tmp_path, settings):
    monkeypatch.setattr("annotation.management.installation.prepare", lambda: None)
    settings.VAR = tmp_path


def test_loading_the_demo_prints_log_ins_that_work():
    said = StringIO()
    call_command("load_demo", stdout=said)
    for line in said.getvalue().strip().splitlines():
        name, password = line.split()
        assert authenticate(RequestFactory().post("/"), username=name, password=password)


def test_loading_the_demo_again_changes_nothing():
    for _ in range(2):
        call_command("load_demo", stdout=StringIO())
    assert (Study.objects.count(), Run.objects.count(), User.objects.count()) == (1, 1, 3)


def test_a_password_that_somebody_chose_is_kept_and_not_printed():
    User.objects.create_user("researcher", password="one of my own", is_staff=True)
    said = StringIO()
    call_command("load_demo", stdout=said)
    assert User.objects.get(username="researcher").check_password("one of my own")
    assert "keeps the password" in said.getvalue()
    assert "one of my own" not in said.getvalue()


def test_log_ins_are_for_the_owners_eyes_only(tmp_path):
    demo.logins()
    assert (tmp_path / "demo_logins.json").stat().st_mode & 0o077 == 0


def test_a_simulated_rater_judges_over_http_until_nothing_is_left():
    study = a_rateable_study(pairs=4)
    user = person("robot")
    enrolment = a_rater(study, user)
    assert sum(1 for _ in SimulatedRater(user, 1, 0.4, 0).judge_all(enrolment)) == 4
    assert Judgment.objects.count() == 4


def test_a_careless_rater_leaves_early_and_keeps_no_pair():
    study = a_rateable_study(pairs=4)
    user = person("robot")
    rater = SimulatedRater(user, 1, 0, 0, is_careless=True)
    assert sum(1 for _ in rater.judge_all(a_rater(study, user), 3)) == 3
    assert set(Judgment.objects.values_list("balance", flat=True)) == {-2}
    assert not study.pairs.filter(assignments__state="leased").exists()


def test_a_page_without_a_pair_offers_no_form():
    assert read_form("<main><p>Nothing left.</p></main>") is None


@pytest.mark.slow
def test_the_whole_demo_runs_and_may_be_repeated():
    for number in (1, 2):
        said = StringIO()
        call_command("demo", stdout=said)
        assert f"Snapshot {number}:" in said.getvalue()
    assert "128 responses" in said.getvalue()
    gold = Gold.objects.count()
    assert 1 <= gold <= 6
    assert Judgment.objects.of_study_work().count() == 3 * (64 - gold)
    shown = {row.code: row for row in quality_report(Study.objects.get())}
    careless = shown.pop(Enrolment.objects.get(user__username="simulated-careless").code)
    assert careless.left.value == 1 and all(row.left.value < 0.8 for row in shown.values())
    if careless.gold.n:
        assert careless.gold.value == 0
    others = [row.gold for row in shown.values()]
    assert sum(found.value * found.n for found in others if found.n) > sum(found.n for found in others) / 2
    assert Snapshot.objects.count() == 2


def test_marked_pairs_do_not_stop_the_demo():
    study = a_marked_study(pairs=2)
    prompt = a_prompt(study)
    for arm, text in zip(study.arms.all(), (" ", "The wind lifts the sail."), strict=True):
        a_response(prompt, arm, text)
    make_pairs(study)
    said = StringIO()
    Command(stdout=said).review(study)
    assert said.getvalue() == "3 marked pairs: 2 shown with a name masked, 1 as they are.\n"
    assert not study.pairs.held().exists()
    Command(stdout=said).review(study)
    assert said.getvalue().count("marked pairs") == 1


def test_a_model_that_does_not_load_stops_the_demo_with_the_reason():
    with pytest.raises(CommandError, match="The run stopped.*no folder"):
        call_command("demo", model="/no/such/folder", stdout=StringIO())
    assert Run.objects.get().state == "failed"


def test_a_model_that_never_loaded_may_be_replaced():
    for model in ("/no/such/folder", "/nor/this"):
        with pytest.raises(CommandError, match=model):
            call_command("demo", model=model, stdout=StringIO())


def test_another_model_needs_another_slug():
    with pytest.raises(CommandError):
        call_command("demo", model="/no/such/folder", stdout=StringIO())
    for arm in Study.objects.get().arms.all():
        freeze_arm(arm)
    with pytest.raises(CommandError, match="--slug another-demo"):
        call_command("demo", model="/another", stdout=StringIO())
