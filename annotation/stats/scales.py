"""How far two answers are apart on a scale: what the weighted coefficients weigh with."""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from annotation.stats.bootstrap import Floats
from annotation.stats.errors import BadInput

Level = Literal["nominal", "ordinal", "interval"]
Weighting = Literal["none", "linear", "quadratic"]

MOST_CATEGORIES = 500
"""Weights fill a square of this side; more values than this are measurements, and alpha is for those."""


def check_level(level: str, categories: NDArray[Any]) -> None:
    """Refuse an unknown level, and values without order on a level that needs one."""
    if level not in get_args(Level):
        raise BadInput(f"The level of measurement is nominal, ordinal or interval, not {level!r}.")
    if level != "nominal" and len(categories) and categories.dtype.kind not in "biuf":
        raise BadInput(
            f"The {level} level needs numbers, and these values are not (one is {categories[0]!r}). "
            "Give the codes of the scale, or use the nominal level."
        )


def positions(categories: NDArray[Any], level: Level) -> Floats:
    """Where each category stands: by its rank among those in use, on the interval level by its value.

    Moved and scaled to 0..1, which the coefficients do not notice, so that no square overflows.
    """
    if level != "interval" or not len(categories):
        return np.linspace(0, 1, len(categories))
    places = categories.astype(np.float64)
    places = places / max(1.0, np.abs(places).max() / 1e150)
    places -= places.min()
    return places / (places.max() or 1.0)


def distances(categories: NDArray[Any], weighting: Weighting, level: Level) -> Floats:
    """Disagreement of every two categories: 0 or 1, or the (squared) distance of their positions.

    Source: J. Cohen, Psychological Bulletin 70 (1968) 213-220. Only ratios matter, so nothing is scaled.
    """
    if weighting == "none":
        return 1 - np.eye(len(categories))
    places = positions(categories, level)
    apart = np.abs(places[:, np.newaxis] - places)
    return apart if weighting == "linear" else apart**2


def gwet_weights(categories: NDArray[Any], level: Level) -> Floats:
    """Gwet's agreement weights in [0, 1]: identity, his ordinal weights, or quadratic ones on the values.

    The ordinal weight of two categories is 1 less the share of pairs of categories that lie between them,
    both ends included. Source: K. L. Gwet, Handbook of Inter-Rater Reliability, 4th ed. 2014, section 3.5.
    """
    if level == "nominal":
        return np.eye(len(categories))
    if level == "interval":
        cost = distances(categories, "quadratic", level)
    else:
        ranks = np.arange(len(categories), dtype=np.float64)
        apart = np.abs(ranks[:, np.newaxis] - ranks)
        cost = apart * (apart + 1) / 2
    return 1 - cost / cost.max()


def why_too_many(categories: NDArray[Any]) -> str:
    """Why no table of categories is made, or ""."""
    if len(categories) <= MOST_CATEGORIES:
        return ""
    return (
        f"There are {len(categories)} distinct values; above {MOST_CATEGORIES} they are measurements rather "
        "than categories, and Krippendorff's alpha on the interval level is the measure for them."
    )
