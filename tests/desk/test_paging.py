"""A page of a list that nobody counts."""

import pytest

from annotation.desk import paging
from annotation.desk.paging import part_of
from annotation.models import Prompt
from tests import cast

pytestmark = pytest.mark.django_db


def pages(asked, prompts=5, size=2):
    study = cast.a_study(f"s-{prompts}-{asked}")
    for number in range(prompts):
        cast.a_prompt(study, f"p{number}")
    found = part_of(
        Prompt.objects.filter(study=study).order_by("key").values_list("key", flat=True), asked, size
    )
    return list(found.rows), found.number, found.previous, found.has_next


def test_a_page_knows_whether_another_follows():
    assert pages(None) == (["p0", "p1"], 1, 0, True)
    assert pages("2") == (["p2", "p3"], 2, 1, True)
    assert pages("3") == (["p4"], 3, 2, False)
    assert pages("2", prompts=4) == (["p2", "p3"], 2, 1, False)


@pytest.mark.parametrize("asked", ["", "0", "-1", "two", "٣", "4", "99999999999"])
def test_a_page_that_is_not_there_is_the_first(asked):
    assert pages(asked)[0] == ["p0", "p1"]


def test_nothing_at_all_is_one_page_without_another():
    assert pages("3", prompts=0) == ([], 1, 0, False)


def test_pages_end_somewhere(monkeypatch):
    monkeypatch.setattr(paging, "LAST", 2)
    assert pages("3") == (["p2", "p3"], 2, 1, False)
