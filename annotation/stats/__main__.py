"""Check a number without the product: statistics of one's own CSV file, as one JSON object.

    python -m annotation.stats agreement FILE.csv --level nominal|ordinal|interval
    python -m annotation.stats preference FILE.csv
    python -m annotation.stats aggregate FILE.csv --method majority|weighted|dawid_skene|mace

Exit status 0; 2 where the file is refused, or where what was asked for does not exist (one rater, one
label …): then a sentence on standard error says why.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from annotation.stats.aggregation import (
    Aggregate,
    RaterQuality,
    dawid_skene,
    mace,
    majority_vote,
    weighted_vote,
    why_no_model,
)
from annotation.stats.agreement import fleiss_kappa, gwet_ac1, gwet_ac2, krippendorff_alpha, raw_agreement
from annotation.stats.bootstrap import Resampling
from annotation.stats.columns import Codes, Column
from annotation.stats.errors import BadInput
from annotation.stats.files import (
    codes_within,
    label_column,
    number_column,
    read_text,
    shortened,
    text_column,
)
from annotation.stats.preference import win_rate
from annotation.stats.rater_pairs import cohen_kappas
from annotation.stats.ratings import DuplicateRating, Ratings
from annotation.stats.scales import Level
from annotation.stats.strengths import Comparisons, strengths

Answer = tuple[dict[str, Any], str]
"""The JSON object, and why what was asked for does not exist, or ""."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = _options(arguments)
    try:
        answer, reason = options.command(options)
    except BadInput as refusal:
        print(refusal, file=sys.stderr)
        return 2
    try:
        print(json.dumps(answer, ensure_ascii=False, allow_nan=False, indent=2), flush=True)
    except BrokenPipeError:
        # The reader of a pipe has seen enough; Python would complain again when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if reason:
        print(reason, file=sys.stderr)
    return 2 if reason else 0


def agreement(options: argparse.Namespace) -> Answer:
    """Every coefficient of the file's ratings, each with its interval or the reason why there is none."""
    ratings = _ratings(options, options.level)
    level: Level = options.level
    plan = {"bootstrap": options.bootstrap, "seed": options.seed}
    cohen = cohen_kappas(ratings, ("none", "linear", "quadratic"), level, Resampling(**plan))
    alpha = krippendorff_alpha(ratings, level, **plan)
    answer = {
        "items": len(ratings.items),
        "raters": len(ratings.raters),
        "judgments": len(ratings),
        "raw_agreement": asdict(raw_agreement(ratings, **plan)),
        "krippendorff_alpha": asdict(alpha),
        "cohen_kappa": asdict(cohen[0]),
        "fleiss_kappa": asdict(fleiss_kappa(ratings, **plan)),
        "gwet_ac1": asdict(gwet_ac1(ratings, **plan)),
        "gwet_ac2": asdict(gwet_ac2(ratings, level, **plan)),
        "weighted_kappa": {"linear": asdict(cohen[1]), "quadratic": asdict(cohen[2])},
    }
    return answer, "" if alpha.value is not None else alpha.reason


def preference(options: argparse.Namespace) -> Answer:
    """Strengths of the arms, ties by Davidson, and the win rates of every two that met."""
    meetings = _meetings(options)
    plan = {"bootstrap": options.bootstrap, "seed": options.seed}
    fitted = strengths(meetings, **plan)
    answer: dict[str, Any] = {
        "arms": [
            {"name": row.arm, "strength": row.share.value, "low": row.share.low, "high": row.share.high}
            for row in fitted.arms
        ],
        "win_rates": list(_win_rates(meetings, plan)),
    }
    why = fitted.reason or next((row.share.reason for row in fitted.arms if row.share.reason), "")
    return {**answer, "reason": why} if why else answer, fitted.reason


def _meetings(options: argparse.Namespace) -> Comparisons:
    names = ("item_id", "rater_id", "arm_a", "arm_b", "outcome")
    columns = read_text(options.file, names, may_be_empty=("rater_id",))
    places = codes_within(options.file, "outcome", columns["outcome"], ("a", "tie", "b"))
    items, raters = (text_column(columns[name]) for name in ("item_id", "rater_id"))
    arms = text_column(pa.concat_arrays([columns["arm_a"], columns["arm_b"]]))
    first, second = arms.codes[: len(places)], arms.codes[len(places) :]
    kept = _without_repeats(options, items, raters, first, second, len(arms.labels))
    words = arms.labels
    try:
        return Comparisons.from_rows(
            words[first[kept]], words[second[kept]], 1 - places[kept] / 2, items.codes[kept]
        )
    except BadInput as refusal:
        raise BadInput(f"{options.file}: {refusal}") from None


def _without_repeats(
    options: argparse.Namespace, items: Column, raters: Column, first: Codes, second: Codes, arms: int
) -> Codes:
    """Places of the rows that count; a rater without a name never repeats."""
    key = items.codes * max(1, len(raters.labels)) + raters.codes
    key = (key * arms + np.minimum(first, second)) * arms + np.maximum(first, second)
    _, earliest = np.unique(key, return_index=True)
    again = np.ones(len(key), dtype=np.bool_)
    again[earliest] = False
    again &= raters.labels[raters.codes] != "" if len(raters.labels) else False
    if not again.any() or options.repeats == "all":
        return np.arange(len(key))
    if options.repeats == "first":
        return np.flatnonzero(~again)
    row = int(np.argmax(again))
    rater, item = raters.labels[raters.codes[row]], items.labels[items.codes[row]]
    raise BadInput(
        f"{options.file}: rater {shortened(rater)} judged item {shortened(item)} more than once on the same "
        f"arms ({int(again.sum())} repeated rows in all). Say --repeats first, or --repeats all."
    )


def _win_rates(meetings: Comparisons, plan: dict[str, int]) -> Iterator[dict[str, Any]]:
    low = np.minimum(meetings.first, meetings.second)
    high = np.maximum(meetings.first, meetings.second)
    outcomes = np.where(meetings.first > meetings.second, 1 - meetings.outcomes, meetings.outcomes)
    for a, b in sorted(set(zip(low.tolist(), high.tolist(), strict=True))):
        rows = (low == a) & (high == b)
        found = win_rate(outcomes[rows], meetings.clusters[rows], **plan)
        yield {
            "arm_a": str(meetings.arms[a]),
            "arm_b": str(meetings.arms[b]),
            "wins": found.wins,
            "ties": found.ties,
            "losses": found.losses,
            "rate": found.rate.value,
            "low": found.rate.low,
            "high": found.rate.high,
        }


def aggregate(options: argparse.Namespace) -> Answer:
    """One label for each item, the probability of every label, and what each rater is worth."""
    ratings = _ratings(options, "nominal")
    if not len(ratings):
        return {"labels": {}, "posteriors": {}, "raters": {}}, why_no_model(ratings)
    found = _METHODS[options.method](ratings, options)
    words = [str(category) for category in found.categories]
    answer = {
        "labels": dict(zip(found.items, (words[place] for place in found.chosen), strict=True)),
        "posteriors": {
            item: dict(zip(words, row, strict=True))
            for item, row in zip(found.items, found.posteriors.tolist(), strict=True)
        },
        "raters": {rater.rater: _rater(rater, words) for rater in found.raters},
    }
    return answer, ""


def _rater(rater: RaterQuality, words: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"judgments": rater.judgments, "quality": rater.quality}
    if rater.confusion is not None:
        tables = zip(words, rater.confusion.tolist(), strict=True)
        row["confusion"] = {true: dict(zip(words, given, strict=True)) for true, given in tables}
    return row


_METHODS: dict[str, Callable[[Ratings, argparse.Namespace], Aggregate]] = {
    "majority": lambda ratings, options: majority_vote(ratings),
    "weighted": lambda ratings, options: weighted_vote(ratings),
    "dawid_skene": lambda ratings, options: dawid_skene(ratings),
    "mace": lambda ratings, options: mace(ratings, seed=options.seed),
}


def _ratings(options: argparse.Namespace, level: str) -> Ratings:
    columns = read_text(options.file, ("item_id", "rater_id", "label"))
    values = label_column if level == "nominal" else number_column
    try:
        return Ratings.from_columns(
            text_column(columns["item_id"]),
            text_column(columns["rater_id"]),
            values(options.file, columns["label"]),
            repeats=options.repeats,
        )
    except DuplicateRating as refusal:
        raise BadInput(f"{options.file}: {refusal} Or say --repeats first, or --repeats all.") from None


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m annotation.stats", description=_first_line())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_agreement(commands)
    _add_preference(commands)
    _add_aggregate(commands)
    return parser.parse_args(arguments)


def _first_line() -> str:
    return (__doc__ or "").splitlines()[0]


def _add_agreement(commands: Any) -> None:
    command = commands.add_parser("agreement", help="how far raters agree (item_id, rater_id, label)")
    command.set_defaults(command=agreement)
    command.add_argument("file", type=Path)
    command.add_argument("--level", choices=get_args(Level), required=True, help="scale of the labels")
    _add_repeats(command)
    _add_resampling(command)


def _add_preference(commands: Any) -> None:
    command = commands.add_parser(
        "preference", help="which arm is better (item_id, rater_id, arm_a, arm_b, outcome: a, b or tie)"
    )
    command.set_defaults(command=preference)
    command.add_argument("file", type=Path)
    _add_repeats(command)
    _add_resampling(command)


def _add_aggregate(commands: Any) -> None:
    command = commands.add_parser("aggregate", help="one label for each item (item_id, rater_id, label)")
    command.set_defaults(command=aggregate)
    command.add_argument("file", type=Path)
    command.add_argument("--method", choices=list(_METHODS), required=True)
    command.add_argument("--seed", type=_whole_number, default=0, help="of MACE's random starts")
    _add_repeats(command)


def _add_repeats(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--repeats",
        choices=("first", "all"),
        default="refuse",
        help="where a rater judged an item again: keep the first row, or all as ratings of their own",
    )


def _add_resampling(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--bootstrap", type=_whole_number, default=1000, help="replicates; 0 for no intervals"
    )
    command.add_argument("--seed", type=_whole_number, default=0)


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"it must be a whole number of 0 or more, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
