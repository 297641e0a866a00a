"""The desk in a real browser: from nothing to a snapshot, and every page accessible and narrow enough."""

import io
import zipfile

import pytest
from django.urls import get_resolver, reverse
from playwright.sync_api import expect

from annotation import tasks
from annotation.actions import reporting, runs, snapshots
from annotation.actions.imports import jobs
from annotation.models import Report, Run, Study, User
from models_runtime.demo import ARMS, MODEL_PATH, load_corpus
from tests import cast
from tests.browser.test_quality import a_busy_study
from tests.browser.test_rating import faults, too_wide
from tests.desk.made import make_what_waits

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.slow]

PROMPTS = "\n".join(prompt.prompt for prompt in load_corpus()[:2])  # which the demo's model answers whole


def fill(page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f'main [name="{name.replace("__", "-")}"]').first.fill(value)


def press(page, words: str) -> None:
    page.get_by_role("button", name=words, exact=True).first.click()


def add_arm(page, name: str, system_prompt: str) -> None:
    page.locator('main [name="backend"]').select_option("transformers_local")
    fill(page, name=name, model=str(MODEL_PATH), system_prompt=system_prompt, max_new_tokens="160")
    press(page, "Add the arm")
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def generate() -> None:
    """What a worker does for the run that waits."""
    run = Run.objects.get()
    while tasks.generate_next(run.pk, "worker", tasks.backends):
        pass
    assert runs.finish_run(Run.objects.get())


def test_a_study_from_nothing_to_a_snapshot_without_code(visit):
    cast.person("researcher", is_staff=True)
    cast.bob()
    desk = visit("researcher")
    page = desk.page
    page.goto("/desk/")
    page.get_by_role("link", name="New study").click()
    fill(page, title="Short or careful", question="Which style is better?")
    press(page, "Make the study")
    press(page, "Save and go on")
    page.get_by_role("button", name="Begin with the example").click()
    expect(page.locator("#preview")).to_contain_text("This is an example.")
    press(page, "Save and go on")
    fill(page, paste__text=PROMPTS)
    page.get_by_label("Intent of whoever asks").select_option("benign")
    press(page, "Look at them")
    press(page, "Add them")
    page.get_by_role("link", name="Next: Arms").click()
    add_arm(page, "first", ARMS[0]["system_prompt"])
    page.get_by_text("Add an arm").click() if not page.locator('main [name="name"]').is_visible() else None
    add_arm(page, "second", ARMS[1]["system_prompt"])
    page.get_by_role("link", name="Next: Pairs and budget").click()
    fill(page, overlap="1")
    press(page, "Save and go on")
    press(page, "Generate what is missing")
    generate()
    desk.sees("Finished: 4 of 4")
    study = Study.objects.get()
    page.goto(f"/desk/{study.slug}/setup/raters/")
    page.get_by_role("link", name="People you know").click()
    fill(page, username="bob")
    press(page, "Enrol")
    rehearse(desk, study)
    page.goto(f"/desk/{study.slug}/setup/opening/")
    press(page, "Open for rating")
    rate_everything(visit("bob"), study)
    read_and_freeze(desk, study)
    assert desk.errors == []


def rehearse(desk, study: Study) -> None:
    desk.page.goto(f"/desk/{study.slug}/setup/rehearsal/")
    desk.page.get_by_role("link", name="Rehearse").click()
    desk.answer_everything()
    desk.read()
    desk.submit()
    desk.sees("Nothing of it was kept.")
    assert faults(desk.page) + too_wide(desk.page) == []
    assert not study.judgments.exists() and study.events.filter(verb="rehearse").count() == 1


def rate_everything(bob, study: Study) -> None:
    bob.page.goto(f"/rate/{study.slug}/")
    for _ in range(2):
        token = bob.page.locator("#pair").get_attribute("data-token")
        bob.answer_everything()
        bob.read()
        bob.submit()
        expect(bob.page.locator(f'[data-token="{token}"]')).to_have_count(0)
    assert study.judgments.count() == 2


def read_and_freeze(desk, study: Study) -> None:
    desk.page.goto(f"/desk/{study.slug}/results/")
    make_what_waits()
    desk.page.reload()
    desk.sees("judgments")
    desk.page.goto(f"/desk/{study.slug}/snapshots/")
    press(desk.page, "Freeze a snapshot")
    with desk.page.expect_download() as download:
        desk.page.get_by_role("link", name="Download").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert any(name.endswith("preferences.parquet") for name in archive.namelist())


@pytest.mark.parametrize("scripts", [True, False])
def test_on_a_phone_the_pages_of_a_study_unfold_from_one_button(visit, study, scripts):
    alice = visit("alice", viewport={"width": 390, "height": 800}, java_script_enabled=scripts)
    alice.page.goto("/desk/kites/raters/")
    button, pages = alice.page.locator(".tabs-button"), alice.page.locator("#tabs")
    expect(pages).to_be_hidden()
    expect(button).to_have_text("Raters All pages")
    assert button.bounding_box()["height"] <= 60
    button.focus()
    alice.press("Enter")
    expect(pages.get_by_role("link", name="Webhooks")).to_be_visible()
    if scripts:
        assert faults(alice.page) + too_wide(alice.page) == []
    alice.press("Escape")
    expect(pages).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    pages.get_by_role("link", name="Members").click()
    alice.page.wait_for_url("**/members/")
    alice.page.set_viewport_size({"width": 1280, "height": 800})
    expect(button).to_be_hidden()
    expect(pages.get_by_role("link", name="Members")).to_be_visible()


# Every page ------------------------------------------------------------------------------------------


def a_full_study() -> Study:
    """A study in which every page of the desk has something to show."""
    a_busy_study()
    study = Study.objects.get(slug="kites")
    cast.an_arm(study, "third")
    cast.a_prompt(study, "new")
    tasks.try_arm(study.arms.get(name="third").pk, "Why?", cast.alice().pk)
    runs.start_run(study, actor=cast.alice())
    file = io.BytesIO(b'{"question": "Why?"}\n')
    jobs.receive(study, "asked.jsonl", [file.read()], cast.alice(), format_name="prompts")
    snapshots.freeze_snapshot(study, cast.alice())
    return study


def desk_pages(study: Study) -> list[str]:
    """Every address of the desk that is a page of this study, as the project's own list has them."""
    rater = study.enrolments.filter(user__isnull=False).first()
    link = study.links.first()
    pair = study.pairs.unseen().first() or study.pairs.first()
    of = {
        "run": {"pk": study.runs.first().pk},
        "rater": {"pk": rater.pk},
        "link": {"pk": link.pk},
        "consents": {"version": 1},
        "make_gold": {"pk": pair.pk},
        "reviewed_pair": {"pk": pair.pk},
        "setup_prompt": {"pk": study.prompts.first().pk},
        "setup_arm": {"number": 0},
        "import": {"pk": study.file_imports.first().pk},
        "datasets": {"number": 1},
        "new_training": {"stage": "sft"},
    }
    found = []
    for part in get_resolver().url_patterns:
        if getattr(part, "namespace", None) == "desk":
            for pattern in part.url_patterns:
                takes = set(pattern.pattern.converters) - {"slug"}
                if pattern.name == "results":  # has a test of its own: its figures take axe a minute
                    continue
                if takes <= set(of.get(pattern.name, {})):
                    slug = {"slug": study.slug} if "slug" in pattern.pattern.converters else {}
                    found.append(reverse(f"desk:{pattern.name}", kwargs=slug | of.get(pattern.name, {})))
    return found


def is_page(client, address: str) -> bool:
    answer = client.get(address)
    is_html = answer.headers.get("Content-Type", "").startswith("text/html")
    return answer.status_code == 200 and is_html and b"<html" in answer.content


def test_every_page_of_the_desk_is_accessible_and_fits_the_window(visit, client):
    study = a_full_study()
    client.force_login(User.objects.get(username="alice"))
    reporting.look(study, reporting.Filters())
    for pk in Report.objects.waiting().values_list("pk", flat=True):
        reporting.make(reporting.claim(pk, "worker"))
    pages = [address for address in desk_pages(study) if is_page(client, address)]
    assert len(pages) > 35, pages
    pages += [f"/desk/{study.slug}/running/?results=shown", f"/rate/{study.slug}/rehearsal/"]
    window = visit("alice", viewport={"width": 1280, "height": 900})
    found = []
    for address in pages:
        window.page.goto(address)
        window.page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")
        # Colours do not depend on the width, so two of the four ways to look show all that can be wrong.
        for width, scheme in ((1280, "light"), (390, "dark")):
            window.page.set_viewport_size({"width": width, "height": 900})
            window.page.emulate_media(color_scheme=scheme)
            found += [f"{width} {scheme} {fault}" for fault in faults(window.page)] + too_wide(window.page)
    assert found == [] and window.errors == []
