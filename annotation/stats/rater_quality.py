"""What a rater's own answers say about how they rate, each as an estimate with its interval.

None of these is a verdict: a share with n = 6 is six answers, and raters who differ from a majority may be
right. Answers about one pair or prompt hang together: it is the cluster wherever there are several, and n
counts clusters.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotation.stats.errors import BadInput
from annotation.stats.estimate import Estimate, undefined
from annotation.stats.intervals import proportion, wilson

BOOTSTRAP = 400


def share_right(right: Sequence[bool]) -> Estimate:
    """The share of gold pairs answered as expected; Wilson's interval, one value a pair."""
    if not len(right):
        return undefined(0, "No gold pair was judged.")
    return wilson(sum(map(bool, right)), len(right))


def self_consistency(agrees: ArrayLike, pairs: ArrayLike) -> Estimate:
    """The share of questions answered alike both times; `pairs` names the pair of each answer."""
    return _clustered(agrees, pairs, "No pair was judged twice.")


def agreement_with_majority(
    raters: ArrayLike,
    items: ArrayLike,
    values: ArrayLike,
    clusters: ArrayLike,
    only: Collection[int] | None = None,
) -> dict[int, Estimate]:
    """For each rater, the share of their answers that the majority of the others gave too.

    One row for each answer: who, about what, which of a few values (whole numbers from 0), and in which
    cluster. Items that nobody else answered, or where the others are split evenly at the top, tell nothing
    and are left out. `only`: the raters asked about. Leave-one-out, so that nobody agrees with themselves.
    """
    who, of, said, within = (np.asarray(column) for column in (raters, items, values, clusters))
    agrees = majority_agreement(of, said)
    order = np.argsort(who, kind="stable")
    asked = np.unique(who if only is None else who[np.isin(who, list(only))])
    starts, ends = (np.searchsorted(who, asked, side, sorter=order) for side in ("left", "right"))
    found = {}
    for rater, start, end in zip(asked.tolist(), starts, ends, strict=True):
        told = order[start:end]
        told = told[agrees[told] >= 0]
        found[rater] = _clustered(agrees[told], within[told], "Nobody else judged enough of the same.")
    return found


def majority_agreement(items: ArrayLike, values: ArrayLike) -> NDArray[np.int8]:
    """For each answer 1 where the majority of the item's other answers is the same, 0 where it is another,
    −1 where there is none."""
    of, said = np.unique(np.asarray(items), return_inverse=True)[1], np.asarray(values)
    if not len(said):
        return np.zeros(0, np.int8)
    if said.min() < 0 or not np.issubdtype(said.dtype, np.integer):
        raise BadInput("The values must be whole numbers from 0.")
    width = max(2, int(said.max()) + 1)
    cells = of * width + said
    counts = np.bincount(cells, minlength=(int(of.max()) + 1) * width).reshape(-1, width)
    most, is_alone = (column.ravel()[cells] for column in _most_of_the_others(counts))
    same = counts.ravel()[cells] - 1
    agrees = np.full(len(said), -1, np.int8)
    agrees[same > most] = 1
    agrees[(same < most) & is_alone] = 0
    return agrees


def _most_of_the_others(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each item and value, how often the most frequent of the other values was said, and whether that is
    one value alone. A table of items and values is small, whatever the number of answers."""
    most, is_alone = np.empty_like(counts), np.empty(counts.shape, bool)
    for value in range(counts.shape[1]):
        others = np.sort(np.delete(counts, value, axis=1), axis=1)
        most[:, value] = others[:, -1]
        is_alone[:, value] = others.shape[1] == 1 or others[:, -1] > others[:, -2]
    return most, is_alone


def hasty_share(seconds: ArrayLike, characters: ArrayLike, most_per_second: float) -> Estimate:
    """The share of judgments sent faster than the text can be read at `most_per_second` characters."""
    time, length = np.asarray(seconds, float), np.asarray(characters, float)
    return wilson(int((length > most_per_second * time).sum()), len(time))


def time_follows_length(seconds: ArrayLike, characters: ArrayLike) -> Estimate:
    """Spearman's rank correlation of reading time and text length; ties share their mean rank.

    Near 0, the time has nothing to do with the text. Interval by Fisher's z with standard error
    1.03 / √(n − 3) (E. C. Fieller, H. O. Hartley, E. S. Pearson, Biometrika 44 (1957) 470-481). Undefined
    for fewer than four judgments or where one of the two never varies.
    """
    time, length = np.asarray(seconds, float), np.asarray(characters, float)
    n = len(time)
    if n < 4:
        return undefined(n, "It takes at least four judgments.")
    if np.ptp(time) == 0 or np.ptp(length) == 0:
        return undefined(n, "All times or all lengths are the same.")
    rho = float(np.corrcoef(_ranks(time), _ranks(length))[0, 1])
    if abs(rho) > 1 - 1e-12:
        return Estimate(float(np.sign(rho)), None, None, n, "The order is exactly the same, or turned.")
    half = 1.959963984540054 * 1.03 / np.sqrt(n - 3)
    return Estimate(rho, float(np.tanh(np.arctanh(rho) - half)), float(np.tanh(np.arctanh(rho) + half)), n)


def share_left(shown: ArrayLike) -> Estimate:
    """The share of decided pair answers (−3 to 3, as shown) that fell on the left; one half is no habit."""
    answers = np.asarray(shown)
    return wilson(int((answers < 0).sum()), int((answers != 0).sum()))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, code, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return (last - (sizes - 1) / 2)[code]


def _clustered(values: ArrayLike, clusters: ArrayLike, nothing: str) -> Estimate:
    numbers = np.asarray(values, float)
    if not len(numbers):
        return undefined(0, nothing)
    found = proportion(numbers, clusters, bootstrap=BOOTSTRAP)
    return replace(found, n=len(np.unique(np.asarray(clusters))))
