"""Where the arms were not treated alike."""

import pytest

from annotation.reports.fairness import Difference, fairness_report, sampling_differences
from tests.cast import ARMS, a_prompt, a_rateable_study, a_response, a_study, an_arm

pytestmark = pytest.mark.django_db


def test_arms_that_differ_in_nothing_show_nothing():
    report = fairness_report(a_rateable_study(pairs=2))
    assert (report.arms, report.differences, report.matched) == (ARMS, (), True)


def test_settings_that_differ_are_named_with_their_values():
    study = a_study()
    an_arm(study, "one", system_prompt="Decline.", sampling={"temperature": 0.0})
    an_arm(study, "two", system_prompt="Help.", sampling={"temperature": 0.7, "top_p": 1.0})
    rows = {row.setting: row.values for row in fairness_report(study).differences}
    assert rows == {"system_prompt": ("Decline.", "Help."), "temperature": ("0.0", "0.7")}


def test_a_setting_is_labelled_as_in_the_admin():
    labels = {name: Difference(name, ()).label for name in ("base_url", "api_key_variable", "top_p")}
    assert labels == {"base_url": "Base URL", "api_key_variable": "API key variable", "top_p": "Top p"}


def test_the_same_number_written_in_two_ways_is_no_difference():
    study = a_study()
    an_arm(study, "one", sampling={"temperature": 0, "top_p": 1})
    an_arm(study, "two", sampling={"temperature": 0.0})
    assert fairness_report(study).differences == ()
    assert sampling_differences(list(study.arms.all())) == ()


def test_answers_without_a_counterpart_are_counted_per_arm():
    study = a_rateable_study(pairs=2)
    first, second = study.arms.all()
    extra = a_prompt(study)
    a_response(extra, first)
    a_response(extra, first, sample=1)
    a_response(a_prompt(study), second)
    report = fairness_report(study)
    assert [(arm.responses, arm.unmatched, arm.imported) for arm in report.coverage] == [(4, 2, 4), (3, 1, 3)]
    assert not report.matched


def test_the_report_costs_the_same_queries_at_any_size(django_assert_num_queries):
    for pairs, slug in ((2, "small"), (20, "large")):
        study = a_rateable_study(pairs=pairs, slug=slug)
        with django_assert_num_queries(3):
            fairness_report(study)
