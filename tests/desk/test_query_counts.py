"""Every page of the desk asks the database the same number of questions, however large the study is.

The addresses are read from the project itself: a new page is asked for by itself.
"""

import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse

from annotation.actions import pulse
from annotation.actions.gold import make_gold
from annotation.models import Report, Study
from annotation.reports import running
from annotation.vocabulary import PairState
from tests import cast

pytestmark = pytest.mark.django_db

DESK = next(part for part in get_resolver().url_patterns if getattr(part, "namespace", "") == "desk")
OF_STUDY = [pattern.name for pattern in DESK.url_patterns if set(pattern.pattern.converters) <= {"slug"}]
OF_A_ROW = ("rater", "reviewed_pair", "setup_prompt", "prompt_text", "response_text")
WHOLE_STUDY = re.compile(
    r'COUNT\([^)]*\)[^(]* FROM "annotation_(judgment|event)" WHERE \S+"study_id" = \d+\)?$'
)


def a_study_of(pairs: int, raters: int) -> Study:
    """With judgments, gold, a pair that waits for review, flags and an open pair, counted by a worker."""
    study = cast.a_rateable_study(pairs, f"of-{pairs}", overlap=raters + 1)
    make_gold(study.pairs.last(), {"balance": 1})
    study.pairs.filter(pk=study.pairs.first().pk).update(state=PairState.HELD)
    for number in range(raters):
        rater = cast.a_rater(study, cast.person(f"{study.slug}-{number}"))
        for _ in range(pairs // 2):
            cast.a_judgment(rater)
    study.refresh_from_db()
    pulse.take_pulse(study)
    pulse.take_signals(study)
    return study


def pages_of(client, study: Study) -> dict[str, list[str]]:
    """By name, what each page of the study asks the database."""
    pair = study.pairs.get(state=PairState.HELD)
    rows = (study.enrolments.first(), pair, pair.prompt, pair.prompt, study.responses.first())
    asked = [(name, {"slug": study.slug}) for name in OF_STUDY if name not in ("studies", "archived")]
    asked += [(name, {"slug": study.slug, "pk": row.pk}) for name, row in zip(OF_A_ROW, rows, strict=True)]
    found = {}
    for name, of in asked:
        address = reverse(f"desk:{name}", kwargs=of if "slug" in takes(name) else {})
        client.get(address)  # what is asked once and kept is no part of it
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(address)
        if answer.status_code == 200:
            found[name] = [query["sql"] for query in captured.captured_queries]
    return found


def takes(name: str) -> set[str]:
    return next(set(one.pattern.converters) for one in DESK.url_patterns if one.name == name)


@pytest.fixture
def as_if_large(monkeypatch):
    monkeypatch.setattr(running, "COUNTED_AT_ONCE", 1)
    cache.clear()


def test_a_page_asks_as_much_of_a_study_five_times_as_large(client, as_if_large):
    client.force_login(cast.alice())
    small, large = pages_of(client, a_study_of(6, 2)), pages_of(client, a_study_of(30, 5))
    assert len(small) > 35 and {"results", "gold", "raters", "rater", "review"} <= set(small)
    assert {name: len(queries) for name, queries in large.items()} == {
        name: len(queries) for name, queries in small.items()
    }


def test_no_page_counts_all_judgments_of_a_large_study(client, as_if_large):
    client.force_login(cast.alice())
    pages = pages_of(client, a_study_of(6, 2))
    assert Report.objects.exists()  # the results were looked at
    counted = {name: [sql for sql in found if WHOLE_STUDY.search(sql)] for name, found in pages.items()}
    assert {name: sql for name, sql in counted.items() if sql} == {}
