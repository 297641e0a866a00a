"""What adaptive overlap saves on real panels: `python benchmarks/adaptive_overlap.py FILE…`.

A FILE is a long CSV with the columns item_id, rater_id, label. Each item's raters come in a random order; an
item begins with `--least` raters and gets one more while the rule of `annotation.stats.panels`, which the
product uses, holds its label open; never more than the item has. The prior is learned as the replay goes,
from what it has bought so far, and begins with no knowledge of the file.

The full panel's label is its sole most frequent one; items without one are asked too, and cost, but no answer
to them is right or wrong. For each file, as JSON in the last line:

- `judgments_ratio`: judgments bought over judgments there are;
- `accuracy`: share of items whose label is the full panel's; a tie of those bought is broken by a coin;
- `accuracy_fixed_same_cost`: the same for one fixed number of raters for all items at the same cost; where
  that is no whole number, some items, drawn by lot, have one more.

Means over `--repeats` orders. The confidence is the product's; the table shows others beside it.
"""

import argparse
import csv
import json
import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotation.stats.panels import PanelPrior, fit_prior, is_settled  # noqa: E402

CONFIDENCE = 0.95
OTHERS = (0.8, 0.9, 0.98, 0.99)
REPEATS = 20
LEARN_EVERY = 25
FIRST_CONCENTRATION = 0.5
Panel = list[int]


@dataclass(frozen=True)
class Replay:
    """One pass over a file."""

    ratio: float
    accuracy: float
    fixed: float


def read_panels(path: Path) -> tuple[list[Panel], int]:
    """The labels of each item as numbers, one for each rater, and how many different labels there are."""
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            labels[row["item_id"]].setdefault(row["rater_id"], row["label"])  # a rater counts once an item
    words = sorted({label for given in labels.values() for label in given.values()})
    number = {word: n for n, word in enumerate(words)}
    return [[number[label] for label in given.values()] for given in labels.values()], len(words)


def count(labels: Sequence[int], answers: int) -> list[int]:
    return [list(labels).count(answer) for answer in range(answers)]


def majority(counts: Sequence[int], dice: random.Random | None = None) -> int | None:
    """The sole most frequent label; of several one by lot, or None without dice."""
    most = [answer for answer, n in enumerate(counts) if n == max(counts)]
    if len(most) == 1:
        return most[0]
    return dice.choice(most) if dice else None


@cache
def settled(counts: tuple[int, ...], most: int, prior: PanelPrior, confidence: float) -> bool:
    return is_settled(counts, most, prior, confidence)


def bought(order: Panel, least: int, prior: PanelPrior, confidence: float) -> int:
    """How many of the raters in `order` the rule asks."""
    asked = min(least, len(order))
    while asked < len(order):
        counts = count(order[:asked], len(prior.shares))
        if settled(tuple(counts), len(order), prior, confidence):
            break
        asked += 1
    return asked


def replay(panels: list[Panel], answers: int, least: int, confidence: float, seed: int) -> Replay:
    dice = random.Random(seed)
    orders = [dice.sample(panel, len(panel)) for panel in dice.sample(panels, len(panels))]
    prior = PanelPrior((1 / answers,) * answers, FIRST_CONCENTRATION)
    asked: list[int] = []
    for number, order in enumerate(orders):
        if number and number % LEARN_EVERY == 0:
            seen = [count(o[:n], answers) for o, n in zip(orders, asked, strict=False)]
            prior = fit_prior(seen, answers) or prior
        # The first items have the whole panel: from single raters nobody learns how far raters agree.
        everybody = number < LEARN_EVERY
        asked.append(len(order) if everybody else bought(order, least, prior, confidence))
    cost = sum(asked)
    fixed = _same_cost(orders, cost, dice)
    return Replay(
        cost / sum(map(len, orders)),
        _accuracy(orders, asked, answers, dice),
        _accuracy(orders, fixed, answers, dice),
    )


def _same_cost(orders: list[Panel], cost: int, dice: random.Random) -> list[int]:
    """One number of raters for every item, and one more for as many, drawn by lot, as make up the cost."""
    each = cost // len(orders)
    numbers = [min(each, len(order)) for order in orders]
    able = [index for index, order in enumerate(orders) if numbers[index] < len(order)]
    for index in dice.sample(able, min(len(able), cost - sum(numbers))):
        numbers[index] += 1
    return numbers


def _accuracy(orders: list[Panel], asked: list[int], answers: int, dice: random.Random) -> float:
    right = []
    for order, number in zip(orders, asked, strict=True):
        truth = majority(count(order, answers))
        if truth is not None:
            right.append(majority(count(order[:number], answers), dice) == truth)
    return statistics.mean(right)


def mean_of(panels: list[Panel], answers: int, least: int, confidence: float, repeats: int) -> dict:
    replays = [replay(panels, answers, least, confidence, seed) for seed in range(repeats)]
    return {
        "judgments_ratio": round(statistics.mean(r.ratio for r in replays), 4),
        "accuracy": round(statistics.mean(r.accuracy for r in replays), 4),
        "accuracy_fixed_same_cost": round(statistics.mean(r.fixed for r in replays), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--least", type=int, help="raters to begin with; else 1 of up to three, 2 of more")
    parser.add_argument("--confidence", type=float, default=CONFIDENCE)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    asked = parser.parse_args()
    found = {}
    for path in asked.files:
        panels, answers = read_panels(path)
        usual = 1 if statistics.median(map(len, panels)) <= 3 else 2
        least = asked.least or usual
        print(f"{path}: {len(panels)} items, {sum(map(len, panels))} judgments, from {least} raters on")
        for confidence in sorted({asked.confidence, *OTHERS}):
            chosen = confidence == asked.confidence
            result = mean_of(panels, answers, least, confidence, asked.repeats if chosen else 3)
            print(f"  {confidence:4} {'*' if chosen else ' '}", *result.values(), flush=True)
            if chosen:
                found[str(path)] = {**result, "items": len(panels), "least": least, "confidence": confidence}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
