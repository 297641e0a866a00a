"""Addresses name what they filter by, also where a label is called like “no label”."""

import pytest
from django.http import QueryDict

from annotation.reports.filters import Filters, shown
from annotation.reports.outcome_tables import outcome_tables
from annotation.reports.rows import Answers
from tests import cast
from tests.reports.studies import two_raters


@pytest.mark.parametrize("label", ["", "none", "'none'", "''none''", "'none", "none of these", "hate"])
def test_every_label_has_an_address_of_its_own(label):
    filters = Filters(categories=(label,))
    assert Filters.from_query(QueryDict(filters.as_query())) == filters


def test_no_two_labels_are_told_alike():
    labels = ["", "none", "'none'", "'none", "hate"]
    assert len({shown(label) for label in labels}) == len(labels)


def test_a_category_called_none_is_another_than_no_category(db):
    study = cast.a_rateable_study(2, harm_categories=["none"])
    first = study.prompts.order_by("pk").first()
    type(first).objects.filter(pk=first.pk).update(harm_category="none", subset=["none"])
    for rater in two_raters(study):
        for _ in range(2):
            cast.a_judgment(rater)
    answers = Answers.of_study(study)
    tables = {table.name: table for table in outcome_tables(answers)}
    for name, column in (("outcomes_by_category", "category"), ("outcomes_by_subset", "subset")):
        place = [one.name for one in tables[name].columns].index(column)
        assert {row[place] for row in tables[name].rows} == {"none", "'none'"}
    assert {name for name, _ in answers.slices("category")} >= {"none", "'none'"}
