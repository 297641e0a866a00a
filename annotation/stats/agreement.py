"""How far raters agree: raw agreement, Krippendorff's alpha and Gwet's AC1, with missing data.

Sources: K. Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011; A. F. Hayes and K. Krippendorff,
Communication Methods and Measures 1 (2007) 77-89; K. L. Gwet, British Journal of Mathematical and Statistical
Psychology 61 (2008) 29-48. In every estimate here, n counts the items with at least
two ratings; the others cannot show agreement and are left out. Intervals resample those items.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from annotation.stats.bootstrap import Floats, Resampling, bootstrap_estimate, ratio_estimate
from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import wilson
from annotation.stats.profiles import Profiles, profiles
from annotation.stats.ratings import Ratings

Level = Literal["nominal", "ordinal", "interval"]
Disagreement = Callable[[Floats], tuple[Floats, Floats]]
"""Item weights (replicates, profiles) to observed and expected disagreement, on one common scale."""


def raw_agreement(
    ratings: Ratings, *, pooled: bool = False, bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """The share of rater pairs that chose the same value.

    By default the mean over items of each item's share, so that every item counts the same however many
    rated it; with ``pooled``, all pairs of all items together, so that an item with m ratings counts
    m(m-1)/2 times. Where all pairs agree, or none, the interval is Wilson's with the item as the unit.
    """
    plan = Resampling(bootstrap, seed, confidence)
    table = profiles(ratings)
    reason = _why_no_pairs(ratings, table)
    if reason:
        return undefined(table.items, reason)
    agreeing = (table.squared_counts() - table.judgments) / 2
    pairs = table.judgments * (table.judgments - 1) / 2
    sums, counts = (agreeing, pairs) if pooled else (agreeing / pairs, np.ones_like(pairs))
    estimate = ratio_estimate(sums, counts, table.sizes, plan, n=table.items, unit="item")
    return _at_the_edge(estimate, confidence) if bootstrap else estimate


def krippendorff_alpha(
    ratings: Ratings, level: Level, *, bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Krippendorff's alpha, 1 - observed / expected disagreement, for any number of raters and missing data.

    ``level`` is the scale of the values: nominal (any labels), ordinal (ordered integer codes; only their
    order enters) or interval (numbers; squared differences). 1 is perfect agreement, 0 what chance would
    give; below 0 is systematic disagreement. It does not exist with one rater, without an item rated twice,
    or where the values of the items rated twice never vary.
    """
    _check_level(ratings, level)
    plan = Resampling(bootstrap, seed, confidence)
    table = profiles(ratings)
    reason = _why_no_pairs(ratings, table) or _why_no_variation(table)
    if reason:
        return undefined(table.items, reason)
    disagreement = _DISAGREEMENT[level](table)

    def alpha(weights: Floats) -> Floats:
        observed, expected = disagreement(weights)
        return 1 - np.divide(observed, expected, out=np.full_like(observed, np.nan), where=expected > 0)

    width = len(table.categories)
    return bootstrap_estimate(alpha, table.sizes, plan, n=table.items, unit="item", width=width)


def gwet_ac1(ratings: Ratings, *, bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95) -> Estimate:
    """Gwet's AC1 for labels without order: (observed - chance) / (1 - chance) of raw agreement.

    Chance is sum p(1-p) / (q-1) over the q labels, p being a label's mean share of an item's ratings. It
    stays small where nearly everything has one label, so AC1 does not collapse there as alpha does. Items
    with one rating count in p, and the interval resamples all items. It does not exist with one rater,
    without an item rated twice, or with only one label.
    """
    plan = Resampling(bootstrap, seed, confidence)
    rated = profiles(ratings)
    reason = _why_no_pairs(ratings, rated) or _why_no_variation(rated)
    if reason:
        return undefined(rated.items, reason)
    table = profiles(ratings, least=1)
    m, pairs = table.judgments, table.judgments > 1
    agreeing = np.divide(table.squared_counts() - m, m * (m - 1), out=np.zeros_like(m), where=pairs)

    def ac1(weights: Floats) -> Floats:
        compared = weights @ pairs
        observed = np.divide(
            weights @ agreeing, compared, out=np.full(len(weights), np.nan), where=compared > 0
        )
        share = table.margins(weights / m) / weights.sum(axis=1)[:, np.newaxis]
        chance = (share * (1 - share)).sum(axis=1) / (len(table.categories) - 1)
        return (observed - chance) / (1 - chance)

    return bootstrap_estimate(ac1, table.sizes, plan, n=rated.items, unit="item", width=len(table.categories))


def _nominal(table: Profiles) -> Disagreement:
    """Any two different values differ by 1."""
    within = (table.judgments**2 - table.squared_counts()) / (table.judgments - 1)

    def disagreement(weights: Floats) -> tuple[Floats, Floats]:
        total = weights @ table.judgments
        expected = (total**2 - (table.margins(weights) ** 2).sum(axis=1)) / (total - 1)
        return weights @ within, expected

    return disagreement


def _interval(table: Profiles) -> Disagreement:
    """Two values differ by their squared difference: an item enters by its count, sum and squares."""
    m = table.judgments
    scores = table.categories.astype(np.float64)
    # Centred first: a common offset (years, say) would otherwise swallow the digits of the differences.
    scores = scores - (table.sizes @ (table.counts @ scores)) / (table.sizes @ m)
    sums, squares = table.counts @ scores, table.counts @ scores**2
    within = 2 * (m * squares - sums**2) / (m - 1)
    columns = np.column_stack([m, sums, squares, within])

    def disagreement(weights: Floats) -> tuple[Floats, Floats]:
        total, first, second, observed = (weights @ columns).T
        spread = total * second - first**2
        # A resample of equal values leaves rounding noise here, which must not pass for variation.
        spread[spread <= 1e-12 * total * second] = 0
        return observed, 2 * spread / (total - 1)

    return disagreement


def _ordinal(table: Profiles) -> Disagreement:
    """Two values differ by the squared distance of their mid-ranks among all values, ranked anew in each
    resample.

    Krippendorff's ordinal metric, the sum of the counts from one category to the other less half of both
    ends, is this distance of mid-ranks.
    """
    m = table.judgments

    def disagreement(weights: Floats) -> tuple[Floats, Floats]:
        margins = table.margins(weights)
        total = margins.sum(axis=1)
        # Less total / 2: mid-ranks then average zero, so the expected disagreement is a plain sum of squares.
        ranks = np.cumsum(margins, axis=1) - (margins + total[:, np.newaxis]) / 2
        sums = np.asarray(table.counts @ ranks.T).T
        squares = (table.margins(weights * m / (m - 1)) * ranks**2).sum(axis=1)
        observed = 2 * (squares - (weights / (m - 1) * sums**2).sum(axis=1))
        return observed, 2 * total * (margins * ranks**2).sum(axis=1) / (total - 1)

    return disagreement


_DISAGREEMENT: dict[Level, Callable[[Profiles], Disagreement]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _interval,
}


def _check_level(ratings: Ratings, level: str) -> None:
    if level not in get_args(Level):
        raise BadInput(f"The level of measurement is nominal, ordinal or interval, not {level!r}.")
    if level != "nominal" and len(ratings) and ratings.categories.dtype.kind not in "biuf":
        raise BadInput(
            f"The {level} level needs numbers, and these values are not (one is {ratings.categories[0]!r}). "
            "Give the codes of the scale, or use the nominal level."
        )


def _why_no_pairs(ratings: Ratings, table: Profiles) -> str:
    if not len(ratings):
        return "There are no judgments."
    if len(ratings.raters) < 2:
        return "There is only one rater, and agreement needs two."
    if not table.items:
        return "No item has two ratings, so there is nothing to compare."
    return ""


def _why_no_variation(table: Profiles) -> str:
    used = np.flatnonzero(table.margins(table.sizes[np.newaxis, :].astype(np.float64))[0])
    if len(used) > 1:
        return ""
    value = table.categories[used[0]]
    return f"Every rating is the same ({value}): without variation, agreement cannot be told from chance."


def _at_the_edge(estimate: Estimate, level: float) -> Estimate:
    if estimate.value not in (0.0, 1.0):
        return estimate
    edge = wilson(round(estimate.value * estimate.n), estimate.n, level)
    return replace(estimate, low=edge.low, high=edge.high, reason="")
