"""The page that plans a study, and the same over the API: one address, one answer."""

import pytest
from django.urls import reverse
from django.utils.html import escape

from annotation.desk import words
from annotation.reports.planning import WIDTH, Assumptions, plan, plan_from_query
from tests import cast
from tests.reports.studies import a_varied_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    client.force_login(cast.alice())
    return client


def page_of(client, study, **query) -> str:
    answer = client.get(reverse("desk:plan", args=[study.slug]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def asked(client, study, **query):
    return client.get(reverse("api:plan", args=[study.slug]), query)


def test_before_the_study_opens_the_page_answers_from_assumptions(alice):
    study = cast.a_rateable_study(state="draft", overlap=3)
    page = page_of(alice, study)
    found = plan(WIDTH, 0.05, Assumptions(overlap=3), prompts=3)
    assert words.plan_sentence(found) in page
    assert "These are assumptions" in page
    assert "The study’s 3\u00a0prompts would give ±" in page


def test_the_address_holds_what_was_filled_in(alice):
    study = cast.a_rateable_study()
    page = page_of(alice, study, goal="rate", target="65", overlap="4", ties="10")
    found = plan_from_query(
        {"goal": "rate", "target": "65", "overlap": "4", "ties": "10"}, Assumptions(overlap=2)
    )
    assert words.plan_sentence(found) in page
    assert "To tell a win rate of 65\u00a0% from 50\u00a0% takes" in page
    assert '<option value="rate" selected>' in page
    assert 'name="target" value="65"' in page and 'name="overlap" value="4"' in page


def test_after_a_pilot_the_page_is_filled_in_from_the_studys_own_answers(alice):
    study = a_varied_study(12)
    page = page_of(alice, study)
    assert "Filled in from this study’s first 24 judgments" in page
    assert "you have changed some of it" not in page
    assert "you have changed some of it" in page_of(alice, study, ties="1")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"ties": "<b>many</b>"}, "“ties” must be a number, not “&lt;b&gt;many&lt;/b&gt;”"),
        ({"overlap": "0"}, "must be a whole number from 1 to 100"),
        ({"goal": "rate", "target": "50"}, "is not 1/2"),
        ({"colour": "red"}, "A plan knows no “colour”"),
    ],
)
def test_a_plan_without_meaning_says_what_to_change_and_keeps_what_was_typed(alice, query, says):
    page = page_of(alice, cast.a_rateable_study(), **query)
    assert says in page and "Nothing was computed: change it below." in page
    assert "headline" not in page and "<table>" not in page
    typed = [escape(value) for name, value in query.items() if name not in ("goal", "colour")]
    assert all(f'value="{value}"' in page for value in typed)


def test_every_row_of_the_table_is_a_plan_of_its_own(alice):
    answer = alice.get(reverse("desk:plan", args=[cast.a_rateable_study(overlap=3).slug]))
    lines = answer.context["lines"]
    assert [line.goal for line in lines[:3]] == [
        "±\u00a010\u00a0points",
        "±\u00a05\u00a0points",
        "±\u00a03\u00a0points",
    ]
    assert lines[-1].goal == "65\u00a0% against 50\u00a0%"
    assert lines[1].prompts == str(plan(WIDTH, 0.05, Assumptions(overlap=3)).size.prompts)
    assert lines[2].judgments == "1,368"


def test_the_study_page_leads_to_the_plan_with_and_without_judgments(alice):
    study = cast.a_rateable_study()
    address = reverse("desk:plan", args=[study.slug])
    overview = reverse("desk:study", args=[study.slug])
    assert address in alice.get(overview).content.decode()
    cast.a_judgment(cast.a_rater(study, cast.bob()))
    assert address in alice.get(overview).content.decode()


def test_the_plan_costs_few_queries_however_many_judgments(alice, django_assert_max_num_queries):
    for study in (a_varied_study(2), a_varied_study(9, slug="larger")):
        with django_assert_max_num_queries(12):
            page_of(alice, study)


def test_others_do_not_find_the_page(client):
    study = cast.a_rateable_study()
    for person in (cast.bob(), cast.mallory()):
        client.force_login(person)
        assert client.get(reverse("desk:plan", args=[study.slug])).status_code == 404
        assert asked(client, study).status_code in (403, 404)


def test_the_api_gives_the_same_plan(alice):
    study = cast.a_rateable_study(overlap=3)
    told = asked(alice, study, goal="width", target="5").json()
    size = plan(WIDTH, 0.05, Assumptions(overlap=3)).size
    assert told["size"] == {
        "prompts": size.prompts,
        "pairs": size.pairs,
        "judgments": size.judgments,
        "raters": size.raters,
    }
    assert (told["goal"], told["target"], told["assumptions"]["source"]) == ("width", 0.05, "assumed")


def test_the_api_refuses_a_plan_without_meaning(alice):
    answer = asked(alice, cast.a_rateable_study(), ties="many")
    assert answer.status_code == 422
    assert "“ties” must be a number" in answer.json()["detail"]
