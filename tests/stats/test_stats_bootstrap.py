"""The percentiles of resamples: plain, corrected for bias, and where there are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from annotation.stats.bootstrap import Resampling, with_percentiles

pytestmark = pytest.mark.once

PLAIN, CORRECTED = Resampling(level=0.9), Resampling(level=0.9, corrected=True)
DRAWS = np.random.default_rng(0).normal(size=4001)


def test_plain_percentiles_leave_out_the_same_share_on_both_sides():
    found = with_percentiles(0.3, DRAWS, 10, PLAIN)
    assert ((found.low > DRAWS).mean(), (found.high < DRAWS).mean()) == pytest.approx((0.05, 0.05), abs=0.001)


def test_corrected_percentiles_of_unbiased_draws_are_the_plain_ones():
    median = float(np.median(DRAWS))
    plain, corrected = (with_percentiles(median, DRAWS, 10, plan) for plan in (PLAIN, CORRECTED))
    assert (corrected.low, corrected.high) == pytest.approx((plain.low, plain.high))


@given(value=st.floats(-1, 1))
def test_corrected_percentiles_follow_efrons_formula(value):
    share = (value > DRAWS).mean()
    tails = norm.cdf(2 * norm.ppf(share) + norm.ppf([0.05, 0.95]))
    found = with_percentiles(value, DRAWS, 10, CORRECTED)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(DRAWS, tails)), abs=0.01)


@given(value=st.floats(-1, 1))
def test_corrected_percentiles_do_not_depend_on_the_unit(value):
    """Any increasing function of the statistic has the same function of its bounds, as near as draws lie."""
    found, curved = (
        with_percentiles(f(value), f(DRAWS), 10, CORRECTED) for f in (lambda x: x, lambda x: np.exp(x / 2))
    )
    assert np.exp([found.low / 2, found.high / 2]) == pytest.approx([curved.low, curved.high], rel=0.02)


def test_draws_all_on_one_side_still_have_bounds():
    found = with_percentiles(9.0, DRAWS, 10, CORRECTED)
    assert found.low <= found.high == pytest.approx(DRAWS.max(), abs=0.5)


def test_biased_draws_have_no_interval_where_the_caller_has_a_reason():
    assert with_percentiles(0.4, DRAWS, 10, PLAIN, if_biased="Too few.").reason == "Too few."
    assert with_percentiles(0.1, DRAWS, 10, PLAIN, if_biased="Too few.").low is not None
