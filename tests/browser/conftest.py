"""A real browser: Debian's Chromium, driven by Playwright against Django's live server."""

import os
import shutil

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from annotation.models import User
from tests import cast

expect.set_options(timeout=30_000)  # milliseconds; what happens is seen at once, also on a busy machine

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
INSTALL = (
    "Chromium was not found. On Debian: apt-get install --no-install-recommends chromium fonts-dejavu. "
    "Elsewhere name the program in CHROMIUM."
)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(INSTALL)
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {"executable_path": chromium, "args": FLAGS + as_root}


@pytest.fixture(scope="session", autouse=True)
def _playwright_beside_the_database() -> None:
    # Playwright keeps an event loop in this thread until the session ends, which Django takes for a reason
    # to refuse queries: in these tests and in all that follow.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"


def session_of(name: str) -> dict[str, str]:
    """The cookie that the log-in's form gives."""
    client = Client()
    client.force_login(User.objects.get(username=name))
    return {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies[settings.SESSION_COOKIE_NAME].value}


class Visit:
    """One person's window, logged in where there is a name.

    `errors` gathers what the console complains of, refusals by the CSP included.
    """

    def __init__(self, browser: Browser, server, name: str = "", **options):
        self.context = browser.new_context(base_url=server.url, **options)
        self.context.set_default_timeout(60_000)  # milliseconds
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        if name:
            self.context.add_cookies([session_of(name) | {"url": server.url}])

    def log_in(self, name: str) -> None:
        self.page.goto("/accounts/login/")
        self.page.locator("[name=username]").fill(name)  # by name: the words may be of any language
        self.page.locator("[name=password]").fill(cast.PASSWORD)
        self.page.locator("main button.primary").click()
        expect(self.page.locator(".masthead form button")).to_be_visible()

    def answer(self, **fields: str) -> None:
        """Click one answer to each question named in `fields` (`__` stands for a dash)."""
        for name, value in fields.items():
            self.page.locator(f'[name="{name.replace("__", "-")}"][value="{value}"]').check()

    def answer_everything(self) -> None:
        safe = {"safety": "clearly_safe", "helpfulness": "3", "mode": "direct_answer"}
        self.answer(
            **{f"{side}__{name}": value for side in ("left", "right") for name, value in safe.items()}
        )
        self.answer(safer="1", more_helpful="-1", balance="2")

    def read(self) -> None:
        """Scroll to the end of both answers."""
        for side in ("left", "right"):
            self.page.locator(f"#{side} .end").evaluate("end => end.scrollIntoView({block: 'center'})")
            self.page.wait_for_timeout(100)  # the browser tells what is on the screen once a frame

    def submit(self) -> None:
        self.page.locator("#submit").click()

    def is_ready_for_keys(self) -> None:
        expect(self.page.locator("[data-current]")).to_be_attached()

    def press(self, keys: str) -> None:
        for key in keys.split():
            self.page.keyboard.press(key)

    def tab_to(self, selector: str) -> None:
        """Press Tab until it is there."""
        for _ in range(100):
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            self.press("Tab")
        pytest.fail(f"The Tab key does not come to {selector} on {self.page.url}.")

    def sees(self, words: str, seconds: float = 30) -> None:
        expect(self.page.get_by_text(words, exact=False).first).to_be_visible(timeout=1000 * seconds)


@pytest.fixture
def visit(request, browser, committed_db):
    """Opens windows and closes them at the end."""
    # Asked for by name only now: as an argument it would set up the database ahead of `committed_db`.
    live_server = request.getfixturevalue("live_server")
    opened = []

    def open_window(name: str = "", **options) -> Visit:
        opened.append(Visit(browser, live_server, name, **options))
        return opened[-1]

    yield open_window
    for window in opened:
        window.context.close()


@pytest.fixture
def study(committed_db):
    study = cast.a_rateable_study(pairs=3)
    cast.a_rater(study, cast.bob())
    return study
