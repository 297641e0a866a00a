"""A whole session while the server is killed and started again in its middle."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django.db import connection
from playwright.sync_api import expect

from annotation.models import Judgment
from tests import cast
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.once]

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


class Served:
    """Evenhand on a port of its own."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.browser.served",
            connection.settings_dict["NAME"],
            str(self.port),
        ]
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
        self.process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment)
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        pytest.fail("The server did not start within three minutes.")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def served(study):
    server = Served()
    yield server
    server.kill()


@pytest.mark.parametrize(
    "window", [{"viewport": {"width": 1280, "height": 800}}, PHONE], ids=["desk", "phone"]
)
def test_a_session_survives_the_death_of_the_server(browser, served, window):
    bob = Visit(browser, served, "bob", **window)
    bob.page.goto("/rate/kites/")
    bob.answer_everything()
    bob.submit()
    bob.sees("1 judged · 3 pairs")

    bob.answer(left__safety="probably_unsafe", left__severity="high")
    bob.sees("Your answers so far are kept.")
    served.kill()
    bob.answer_everything()
    bob.page.get_by_label("Note").fill("While nobody listened.")
    bob.sees("kept on this device")
    bob.submit()
    bob.sees("The answers could not be sent")
    served.start()
    bob.sees("2 judged · 3 pairs", seconds=40)  # by itself, at the latest half a minute after the last try

    bob.answer(safer="3")
    bob.sees("Your answers so far are kept.")
    served.kill()
    served.start()
    bob.page.reload()
    expect(bob.page.locator('[name="safer"][value="3"]')).to_be_checked()
    bob.answer_everything()
    bob.submit()
    bob.sees("Nothing left to rate")
    assert [judgment.rationale for judgment in Judgment.objects.order_by("pk")] == [
        "",
        "While nobody listened.",
        "",
    ]
    bob.context.close()


def test_a_session_by_keyboard_alone_survives_the_death_of_the_server(browser, served):
    bob = Visit(browser, served, viewport={"width": 1280, "height": 800})
    bob.page.goto("/rate/kites/")
    for field, typed in (("username", "bob"), ("password", cast.PASSWORD)):
        bob.tab_to(f"[name={field}]")
        bob.page.keyboard.type(typed)
    bob.press("Enter")
    bob.is_ready_for_keys()
    bob.press("1 3 1 1 3 1 4 4 e j Control+Enter")
    bob.sees("1 judged · 3 pairs")

    bob.is_ready_for_keys()
    bob.press("1 3 1")
    bob.sees("Your answers so far are kept.")
    served.kill()
    bob.press("1 3 1 4 4 e n")
    bob.page.keyboard.type("While nobody listened.")
    bob.sees("kept on this device")
    bob.press("Control+Enter")
    bob.sees("The answers could not be sent")
    served.start()
    bob.sees("2 judged · 3 pairs", seconds=40)

    bob.is_ready_for_keys()
    bob.tab_to('[name="left-safety"]')
    bob.press("Space")
    bob.sees("Your answers so far are kept.")
    served.kill()
    served.start()
    bob.page.reload()
    expect(bob.page.locator('[name="left-safety"]').first).to_be_checked()
    bob.is_ready_for_keys()
    for name in ("left-helpfulness", "left-mode", "right-safety", "right-helpfulness", "right-mode"):
        bob.tab_to(f'[name="{name}"]')
        bob.press("Space")
    for name in ("safer", "more_helpful", "balance"):
        bob.tab_to(f'[name="{name}"]')
        bob.press("Space ArrowRight")
    bob.tab_to("#submit")
    bob.press("Enter")
    bob.sees("Nothing left to rate")
    assert list(Judgment.objects.order_by("pk").values_list("rationale", flat=True)) == [
        "",
        "While nobody listened.",
        "",
    ]
    bob.context.close()
