"""Bob at his desk: a log-in, and what a form carries."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from tests import cast


def page_of(slug: str = "kites") -> str:
    return reverse("rate:next", args=[slug])


class Rater:
    """A logged-in rater's browser, without JavaScript unless `htmx` is said."""

    def __init__(self, user, htmx: bool = False):
        self.client = Client(headers={"HX-Request": "true"} if htmx else {})
        self.client.force_login(user)

    def open(self, slug: str = "kites"):
        self.shown = self.client.get(page_of(slug))
        return self.shown

    @property
    def html(self) -> str:
        return self.shown.content.decode()

    @property
    def action(self) -> str:
        return re.search(r'<form class="judgment"[^>]*?action="([^"]+)"', self.html, re.S)[1]

    @property
    def key(self) -> str:
        return re.search(r'name="idempotency_key" value="([^"]+)"', self.html)[1]

    def send(self, to: str = "", key: str = "", given=None, **changed):
        """Post the shown form (or the one at `to`), filled in; `changed` fields may be None to leave out."""
        fields = cast.form_fields(given) | {"idempotency_key": key or self.key} | changed
        fields = {name: value for name, value in fields.items() if value is not None}
        self.shown = self.client.post(to or self.action, fields)
        return self.shown


@pytest.fixture
def study(db):
    return cast.a_rateable_study(pairs=3)


@pytest.fixture
def place(study):
    return cast.a_rater(study, cast.bob())


@pytest.fixture
def bob(place) -> Rater:
    rater = Rater(place.user)
    rater.open()
    return rater


@pytest.fixture
def quick_bob(place) -> Rater:
    """Bob with JavaScript."""
    rater = Rater(place.user, htmx=True)
    rater.open()
    return rater
