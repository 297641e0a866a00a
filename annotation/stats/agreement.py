"""How far raters agree: raw agreement, Krippendorff's alpha, Fleiss' kappa and Gwet's AC1 and AC2.

All take any number of raters and missing data, and none looks at who gave which answer; Cohen's kappa, which
does, is in `rater_pairs`.

Sources: K. Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011; A. F. Hayes and K. Krippendorff,
Communication Methods and Measures 1 (2007) 77-89; K. L. Gwet, British Journal of Mathematical and Statistical
Psychology 61 (2008) 29-48. In every estimate here, n counts the items with at least
two ratings; the others cannot show agreement and are left out. Intervals resample those items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from annotation.stats.bootstrap import CELLS_AT_ONCE, Floats, Resampling, bootstrap_estimate, ratio_estimate
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import wilson
from annotation.stats.profiles import Profiles, profiles
from annotation.stats.ratings import Ratings
from annotation.stats.scales import Level, check_level, gwet_weights, positions, why_too_many

Disagreement = Callable[[Floats], tuple[Floats, Floats]]
"""Item weights (replicates, profiles) to observed and expected disagreement, on one common scale."""


@dataclass(frozen=True, eq=False)
class Rated:
    """Ratings whose items are grouped once, for whoever asks for several measures of them."""

    ratings: Ratings

    @classmethod
    def of(cls, ratings: Ratings | Rated) -> Rated:
        return ratings if isinstance(ratings, Rated) else cls(ratings)

    @cached_property
    def all_items(self) -> Profiles:
        """Items with one rating or more."""
        return profiles(self.ratings, least=1)

    @cached_property
    def items_rated_twice(self) -> Profiles:
        """Items with two ratings or more."""
        return self.all_items.where(self.all_items.judgments >= 2)


def raw_agreement(
    ratings: Ratings | Rated,
    *,
    pooled: bool = False,
    bootstrap: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """The share of rater pairs that chose the same value.

    By default the mean over items of each item's share, so that every item counts the same however many
    rated it; with ``pooled``, all pairs of all items together, so that an item with m ratings counts
    m(m-1)/2 times. Where all pairs agree, or none, the interval is Wilson's with the item as the unit.
    """
    plan = Resampling(bootstrap, seed, confidence)
    rated = Rated.of(ratings)
    table = rated.items_rated_twice
    reason = _why_no_pairs(rated)
    if reason:
        return undefined(table.items, reason)
    agreeing = (table.squared_counts() - table.judgments) / 2
    pairs = table.judgments * (table.judgments - 1) / 2
    sums, counts = (agreeing, pairs) if pooled else (agreeing / pairs, np.ones_like(pairs))
    estimate = ratio_estimate(sums, counts, table.sizes, plan, n=table.items, unit="item")
    return _at_the_edge(estimate, confidence) if bootstrap else estimate


def krippendorff_alpha(
    ratings: Ratings | Rated, level: Level, *, bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Krippendorff's alpha, 1 - observed / expected disagreement, for any number of raters and missing data.

    ``level`` is the scale of the values: nominal (any labels), ordinal (ordered integer codes; only their
    order enters) or interval (numbers; squared differences). 1 is perfect agreement, 0 what chance would
    give; below 0 is systematic disagreement. It does not exist with one rater, without an item rated twice,
    or where the values of the items rated twice never vary.
    """
    rated = Rated.of(ratings)
    check_level(level, rated.ratings.categories)
    plan = Resampling(bootstrap, seed, confidence)
    table = rated.items_rated_twice
    reason = _why_no_pairs(rated) or _why_no_variation(table)
    if reason:
        return undefined(table.items, reason)
    disagreement = _DISAGREEMENT[level](table)

    def alpha(weights: Floats) -> Floats:
        observed, expected = disagreement(weights)
        return 1 - np.divide(observed, expected, out=np.full_like(observed, np.nan), where=expected > 0)

    width = len(table.categories)
    return bootstrap_estimate(alpha, table.sizes, plan, n=table.items, unit="item", width=width)


def fleiss_kappa(
    ratings: Ratings | Rated, *, bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Fleiss' kappa: (observed - chance) / (1 - chance) of raw agreement.

    Chance is sum p² over the labels, p being a label's mean share of an item's ratings. Where every item has
    the same number of ratings this is J. L. Fleiss, Psychological Bulletin 76 (1971) 378-382; with missing
    ratings it is Gwet's extension (2014, section 2.4), in which items with one rating count in p. It does not
    exist with one rater, without an item rated twice, or with only one label.
    """
    plan = Resampling(bootstrap, seed, confidence, corrected=True)
    return _gwet_form(Rated.of(ratings), "nominal", lambda share: (share**2).sum(axis=1), plan)


def gwet_ac1(
    ratings: Ratings | Rated, *, bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Gwet's AC1 for labels without order: (observed - chance) / (1 - chance) of raw agreement.

    Chance is sum p(1-p) / (q-1) over the q labels, p being a label's mean share of an item's ratings. It
    stays small where nearly everything has one label, so AC1 does not collapse there as alpha does. Items
    with one rating count in p, and the interval resamples all items. It does not exist with one rater,
    without an item rated twice, or with only one label.
    """
    plan = Resampling(bootstrap, seed, confidence)
    return _gwet_form(
        Rated.of(ratings), "nominal", lambda share: _gwet_chance(share, np.eye(share.shape[1])), plan
    )


def gwet_ac2(
    ratings: Ratings | Rated, level: Level, *, bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Gwet's AC2: AC1 in which near answers agree in part, by `scales.gwet_weights` of the level.

    Chance is T sum p(1-p) / (q(q-1)), T being the sum of all weights. Source: K. L. Gwet, Handbook of
    Inter-Rater Reliability, 4th ed. 2014, chapter 4. It exists where AC1 does and values have an
    order.
    """
    rated = Rated.of(ratings)
    categories = rated.ratings.categories
    check_level(level, categories)
    if level == "nominal":
        return undefined(
            rated.items_rated_twice.items, "AC2 weighs by order, and nominal labels have none: see AC1."
        )
    plan = Resampling(bootstrap, seed, confidence)
    # Two categories or more, or there is a reason before the weights are used.
    weights = gwet_weights(categories, level) if len(categories) > 1 else np.eye(1)
    return _gwet_form(rated, level, lambda share: _gwet_chance(share, weights), plan)


def _gwet_chance(share: Floats, weights: Floats) -> Floats:
    q = len(weights)
    return weights.sum() * (share * (1 - share)).sum(axis=1) / (q * (q - 1))


def _gwet_form(
    rated: Rated, level: Level, chance_of: Callable[[Floats], Floats], plan: Resampling
) -> Estimate:
    """(observed - chance) / (1 - chance), chance from the labels' mean shares (replicates, labels)."""
    twice, table = rated.items_rated_twice, rated.all_items
    reason = _why_no_pairs(rated) or _why_no_variation(twice) or why_too_many(table.categories)
    if reason:
        return undefined(twice.items, reason)
    m, pairs = table.judgments, table.judgments > 1
    weighted = _weighted_squares(table, gwet_weights(table.categories, level))
    agreeing = np.divide(weighted - m, m * (m - 1), out=np.zeros_like(m), where=pairs)

    def coefficient(weights: Floats) -> Floats:
        compared = weights @ pairs
        missing = np.full(len(weights), np.nan)
        observed = np.divide(weights @ agreeing, compared, out=missing, where=compared > 0)
        chance = chance_of(table.margins(weights / m) / weights.sum(axis=1)[:, np.newaxis])
        return np.divide(
            observed - chance, 1 - chance, out=np.full(len(weights), np.nan), where=1 - chance > 1e-12
        )

    width = len(table.categories)
    return bootstrap_estimate(coefficient, table.sizes, plan, n=twice.items, unit="item", width=width)


def _weighted_squares(table: Profiles, weights: Floats) -> Floats:
    """For each profile, the sum of weight × count × count over every two categories."""
    found = np.empty(len(table.judgments))
    at_once = max(1, CELLS_AT_ONCE // len(weights))
    for start in range(0, len(found), at_once):
        counts = table.counts[start : start + at_once]
        found[start : start + at_once] = counts.multiply(counts @ weights).sum(axis=1)
    return found


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
    scores = positions(table.categories, "interval")
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


def _why_no_pairs(rated: Rated) -> str:
    if not len(rated.ratings):
        return "There are no judgments."
    if len(rated.ratings.raters) < 2:
        return "There is only one rater, and agreement needs two."
    if not rated.items_rated_twice.items:
        return "No item has two ratings, so there is nothing to compare."
    return ""


def _why_no_variation(table: Profiles) -> str:
    used = np.flatnonzero(table.margins(table.sizes[np.newaxis, :].astype(np.float64))[0])
    if len(used) > 1:
        return ""
    value = str(table.categories[used[0]])[:60]
    return f"Every rating is the same ({value}): without variation, agreement cannot be told from chance."


def _at_the_edge(estimate: Estimate, level: float) -> Estimate:
    if estimate.value not in (0.0, 1.0):
        return estimate
    edge = wilson(round(estimate.value * estimate.n), estimate.n, level)
    return replace(estimate, low=edge.low, high=edge.high, reason="")
