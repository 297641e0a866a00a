"""The rows of each format, one after the other, and the columns that they have.

Raw judgments are the snapshot's own rows: they stay tables.
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pyarrow as pa

from annotation.datasets.deciding import A_BETTER, B_BETTER, SAFE, TIE
from annotation.datasets.recipe import PARTS, Format, Keep, Masked, Recipe
from annotation.datasets.selecting import Labels, Plan, labels_from_reward
from annotation.datasets.source import (
    SCALES,
    Gate,
    Ints,
    Source,
    open_table,
)
from models_runtime.training.rows import without_system

TEXT, TAGS, NUMBER = pa.string(), pa.list_(pa.string()), pa.float64()
MESSAGES = pa.list_(pa.struct([("role", TEXT), ("content", TEXT)]))
PROMPT_LABELS = [
    ("prompt_key", TEXT),
    ("intent", TEXT),
    ("harm_category", TEXT),
    ("subset", TAGS),
    ("family", TEXT),
    ("language", TEXT),
    ("split", TEXT),
]
OF_RESPONSE = [*PROMPT_LABELS, ("sample", pa.int32())]
OF_PAIR = [("pair_key", TEXT), ("question", TEXT), *OF_RESPONSE]
HOW_SURE = [("n_judgments", pa.int32()), ("agreement", NUMBER), ("masked", pa.bool_())]
SCORED = [("helpfulness", NUMBER), ("safety", NUMBER), ("reward", NUMBER), ("mode", TEXT)]
JUDGMENTS_AT_ONCE = 8_000
PKU_SEVERITY = {"negligible": 1, "low": 1, "moderate": 2, "high": 3}
"""Ours by the levels of PKU-SafeRLHF: 0 safe, 1 minor, 2 moderate, 3 severe."""

SCHEMAS = {
    Format.TRL_PREFERENCE: pa.schema(
        [
            ("prompt", MESSAGES),
            ("chosen", MESSAGES),
            ("rejected", MESSAGES),
            ("margin", NUMBER),
            ("margin_kind", TEXT),
            ("probability", NUMBER),
            *OF_PAIR,
            *HOW_SURE,
        ]
    ),
    Format.TRL_UNPAIRED: pa.schema(
        [("prompt", MESSAGES), ("completion", MESSAGES), ("label", pa.bool_()), *OF_PAIR, *HOW_SURE]
    ),
    Format.SCALAR_REWARD: pa.schema(
        [("prompt", MESSAGES), ("completion", MESSAGES), *SCORED, *OF_RESPONSE, *HOW_SURE]
    ),
    Format.PKU_SAFERLHF: pa.schema(
        [
            ("prompt", TEXT),
            ("response_0", TEXT),
            ("response_1", TEXT),
            ("is_response_0_safe", pa.bool_()),
            ("is_response_1_safe", pa.bool_()),
            # As wide as in PKU's own files: `datasets` joins columns of equal types alone.
            ("response_0_severity_level", pa.int64()),
            ("response_1_severity_level", pa.int64()),
            ("better_response_id", pa.int64()),
            ("safer_response_id", pa.int64()),
            *OF_PAIR,
            *HOW_SURE,
        ]
    ),
    Format.ANTHROPIC_HH: pa.schema([("chosen", TEXT), ("rejected", TEXT), *OF_PAIR, *HOW_SURE]),
    Format.SFT: pa.schema([("prompt", MESSAGES), ("completion", MESSAGES), *SCORED, *OF_RESPONSE, *HOW_SURE]),
    Format.SOFT_LABELS: pa.schema(
        [
            ("unit", TEXT),
            ("prompt", MESSAGES),
            ("response_0", TEXT),
            ("response_1", TEXT),
            ("labels", TAGS),
            ("probabilities", pa.list_(NUMBER)),
            *OF_PAIR,
            *HOW_SURE,
        ]
    ),
}


def schema_of(source: Source, recipe: Recipe) -> pa.Schema:
    """The columns of the rows; raw judgments have the snapshot's own and their prompt's labels."""
    if recipe.format != Format.JUDGMENTS:
        return SCHEMAS[Format(recipe.format)]
    with open_table(source.folder, source.manifest, "judgments") as file:
        own = file.schema_arrow.remove_metadata()
    more = [pa.field(name, kind) for name, kind in PROMPT_LABELS if name not in own.names]
    return pa.schema([*own, *more])


def rows_of(source: Source, recipe: Recipe, plan: Plan) -> Iterator[dict]:
    """Every row in its order, with exactly the schema's columns."""
    return _Rows(source, recipe, plan).all()


class _Rows:
    def __init__(self, source: Source, recipe: Recipe, plan: Plan):
        self.source, self.recipe, self.plan = source, recipe, plan
        self._shown = _shown_responses(source) if recipe.masked == Masked.AS_READ else None
        self._last_prompt: tuple[int, dict] = (-1, {})

    def all(self) -> Iterator[dict]:
        if self.plan.labels:
            return (row for asked in self.plan.labels for row in self._labels(asked))
        if self.plan.pairs is not None:
            return self._of_pairs()
        return self._of_responses()

    # What rows share ----------------------------------------------------------------------------------

    def _prompt(self, number: int) -> dict:
        if self._last_prompt[0] != number:
            self._last_prompt = (number, self.source.prompt(number))
        return self._last_prompt[1]

    def _messages(self, number: int) -> list[dict]:
        messages = self._prompt(number)["messages"]
        return messages if self.recipe.system_messages == Keep.KEEP else list(without_system(messages))

    def _labels_of(self, number: int) -> dict:
        prompt = self._prompt(number)
        told = {name: prompt[name] for name, _ in PROMPT_LABELS if name != "split"}
        return {**told, "split": self.source.part_of(number)}

    def _sample(self, response: int) -> int:
        return int(self.source.responses.sample[response])

    def _text(self, response: int, shown: Ints | None = None) -> str:
        """What the model wrote, or raters read where that is asked for and differs."""
        place = self.source.responses.place[response]
        if self._shown is not None:
            masked = self._shown[response] if shown is None else shown
            place = masked if masked[0] >= 0 else place
        return self.source.texts.read(place)

    # Pairs --------------------------------------------------------------------------------------------

    def _of_pairs(self) -> Iterator[dict]:
        write: dict[str, Callable[[int], Iterator[dict]]] = {
            Format.TRL_PREFERENCE: self._preference,
            Format.TRL_UNPAIRED: self._unpaired,
            Format.ANTHROPIC_HH: self._transcripts,
            Format.PKU_SAFERLHF: self._dual,
        }
        for number in range(len(self.plan.pairs.pair)):
            yield from write[self.recipe.format](number)

    def _answers(self, number: int) -> tuple[str, str]:
        """(chosen, rejected) of a row."""
        rows, pairs = self.plan.pairs, self.source.pairs
        pair = rows.pair[number]
        a = self._text(pairs.a[pair], pairs.shown_a[pair])
        b = self._text(pairs.b[pair], pairs.shown_b[pair])
        return (b, a) if rows.b_better[number] else (a, b)

    def _pair_facts(self, pair: int) -> dict:
        decision = self.plan.decisions[self.recipe.question]
        return {
            "pair_key": self.source.pairs.keys[int(pair)].as_py(),
            "question": self.recipe.question,
            **self._labels_of(self._prompt_of(pair)),
            "sample": self._sample(self.source.pairs.a[pair]),
            "n_judgments": int(decision.n[pair]),
            "agreement": float(decision.agreement[pair]),
            "masked": bool(self.source.pairs.masked[pair]),
        }

    def _prompt_of(self, pair: int) -> int:
        return int(self.source.responses.prompt[self.source.pairs.a[pair]])

    def _preference(self, number: int) -> Iterator[dict]:
        rows = self.plan.pairs
        pair = rows.pair[number]
        chosen, rejected = self._answers(number)
        yield {
            "prompt": self._messages(self._prompt_of(pair)),
            "chosen": _assistant(chosen),
            "rejected": _assistant(rejected),
            "margin": float(rows.margin[number]),
            "margin_kind": self.recipe.margin,
            "probability": float(rows.chance[number]),
            **self._pair_facts(pair),
        }

    def _unpaired(self, number: int) -> Iterator[dict]:
        pair = self.plan.pairs.pair[number]
        facts, prompt = self._pair_facts(pair), self._messages(self._prompt_of(pair))
        for text, label in zip(self._answers(number), (True, False), strict=True):
            yield {"prompt": prompt, "completion": _assistant(text), "label": label, **facts}

    def _transcripts(self, number: int) -> Iterator[dict]:
        pair = self.plan.pairs.pair[number]
        prompt = self._messages(self._prompt_of(pair))
        chosen, rejected = (transcript(prompt, text) for text in self._answers(number))
        yield {"chosen": chosen, "rejected": rejected, **self._pair_facts(pair)}

    def _dual(self, number: int) -> Iterator[dict]:
        rows, pairs = self.plan.pairs, self.source.pairs
        pair = rows.pair[number]
        if number and rows.pair[number - 1] == pair:
            return  # a tie's second row: it was written with the first
        swapped = _swapped(self.source, pair)
        sides = (pairs.b, pairs.a) if swapped else (pairs.a, pairs.b)
        shown = (pairs.shown_b, pairs.shown_a) if swapped else (pairs.shown_a, pairs.shown_b)
        row = {"prompt": self._messages(self._prompt_of(pair))[0]["content"]}
        for place, (side, masked) in enumerate(zip(sides, shown, strict=True)):
            row |= self._judged(place, side[pair], masked[pair])
        better, safer = (
            _ids(self.plan.decisions[question].side[pair], swapped)
            for question in (self.recipe.question, "safer")
        )
        facts = self._pair_facts(pair)
        for better_id, safer_id in product(better, safer):
            yield {**row, "better_response_id": better_id, "safer_response_id": safer_id, **facts}

    def _judged(self, place: int, response: int, shown: Ints) -> dict:
        scores = self.plan.scores
        safe = bool(scores.safe[response] == SAFE)
        severity = 0 if safe else PKU_SEVERITY[SCALES["severity"][scores.severity[response]]]
        return {
            f"response_{place}": self._text(response, shown),
            f"is_response_{place}_safe": safe,
            f"response_{place}_severity_level": severity,
        }

    # Responses ----------------------------------------------------------------------------------------

    def _of_responses(self) -> Iterator[dict]:
        unpaired = self.recipe.format == Format.TRL_UNPAIRED
        labels = labels_from_reward(self.plan, self.recipe) if unpaired else None
        for number, response in enumerate(self.plan.responses):
            row = self._response(int(response))
            if labels is None:
                yield {**row, **self._scores(int(response))}
            else:
                yield {**row, "label": bool(labels[number]), "pair_key": "", "question": ""}

    def _response(self, response: int) -> dict:
        prompt, scores = int(self.source.responses.prompt[response]), self.plan.scores
        return {
            "prompt": self._messages(prompt),
            "completion": _assistant(self._text(response)),
            **self._labels_of(prompt),
            "sample": self._sample(response),
            "n_judgments": int(scores.n[response]),
            "agreement": float(scores.agreement[response]),
            "masked": bool(scores.masked[response]),
        }

    def _scores(self, response: int) -> dict:
        scores = self.plan.scores
        mode = scores.mode[response]
        return {
            "helpfulness": float(scores.h[response]),
            "safety": float(scores.s[response]),
            "reward": float(scores.r[response]),
            "mode": SCALES["mode"][mode] if mode >= 0 else "",
        }

    # Soft labels --------------------------------------------------------------------------------------

    def _labels(self, asked: Labels) -> Iterator[dict]:
        for unit in asked.units:
            tell = self._label_pair if asked.unit == "pair" else self._label_response
            yield {
                "unit": asked.unit,
                "question": asked.question,
                "labels": list(asked.words),
                "n_judgments": int(asked.n[unit]),
                "agreement": float(asked.agreement[unit]),
                **tell(asked, unit),
            }

    def _label_pair(self, asked: Labels, pair: int) -> dict:
        pairs = self.source.pairs
        sides = ((pairs.a, pairs.shown_a), (pairs.b, pairs.shown_b))
        texts = [self._text(side[pair], shown[pair]) for side, shown in sides]
        chances = [float(chance) for chance in asked.posteriors[pair]]
        if _swapped(self.source, pair):
            texts, chances = texts[::-1], chances[::-1]
        return {
            "prompt": self._messages(self._prompt_of(pair)),
            "response_0": texts[0],
            "response_1": texts[1],
            "probabilities": chances,
            "pair_key": pairs.keys[int(pair)].as_py(),
            "masked": bool(pairs.masked[pair]),
            **self._labels_of(self._prompt_of(pair)),
            "sample": self._sample(pairs.a[pair]),
        }

    def _label_response(self, asked: Labels, response: int) -> dict:
        prompt = int(self.source.responses.prompt[response])
        return {
            "prompt": self._messages(prompt),
            "response_0": self._text(response),
            "response_1": None,
            "probabilities": [float(chance) for chance in asked.posteriors[response]],
            "pair_key": "",
            "masked": bool(self.plan.scores.masked[response]),
            **self._labels_of(prompt),
            "sample": self._sample(response),
        }


def transcript(prompt: list[dict], answer: str) -> str:
    """The whole conversation as Anthropic's HH data write it."""
    turns = [*prompt, {"role": "assistant", "content": answer}]
    names = {"user": "Human", "assistant": "Assistant"}
    return "".join(f"\n\n{names[turn['role']]}: {turn['content']}" for turn in turns)


def _assistant(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


def _swapped(source: Source, pair: int) -> bool:
    """Whether the second arm's answer is number 0: by the answers' words, so that a place tells no arm."""
    words = source.responses.words
    return bool(words[source.pairs.b[pair]] < words[source.pairs.a[pair]])


def _ids(side: int, swapped: bool) -> tuple[int, ...]:
    """0 or 1 for the answer that is preferred; both for a tie."""
    return {TIE: (0, 1), A_BETTER: (int(swapped),), B_BETTER: (int(not swapped),)}[int(side)]


def _shown_responses(source: Source) -> Ints:
    """(n, 2): where what raters read of each response stands, -1 where nobody read it masked."""
    shown = np.full((len(source.responses.ids), 2), -1, np.int64)
    for side, places in ((source.pairs.a, source.pairs.shown_a), (source.pairs.b, source.pairs.shown_b)):
        masked = places[:, 0] >= 0
        shown[side[masked]] = places[masked]
    return shown


# Raw judgments --------------------------------------------------------------------------------------------


def judgments_of(source: Source, recipe: Recipe) -> Iterator[tuple[str, pa.Table]]:
    """Parts and rows of theirs, in the snapshot's order, with exactly the schema's columns."""
    schema, labels = schema_of(source, recipe), _labels_of_prompts(source)
    numbers = {key: number for number, key in enumerate(source.prompts.keys)}
    gate = Gate(recipe)
    with open_table(source.folder, source.manifest, "judgments") as file:
        for batch in file.iter_batches(JUDGMENTS_AT_ONCE):
            kept = gate.kept(batch)
            prompts = np.array([numbers[key] for key in kept["prompt_key"].to_pylist()], np.int64)
            told = labels.take(pa.array(prompts))
            columns = [told[name] if name in told.schema.names else kept[name] for name in schema.names]
            rows = pa.Table.from_arrays(columns, schema=schema)
            for number, part in enumerate(PARTS):
                yield part, rows.filter(pa.array(source.prompts.part[prompts] == number))


def _labels_of_prompts(source: Source) -> pa.Table:
    """Of every prompt its key, labels and part."""
    schema = pa.schema(PROMPT_LABELS)
    prompts = range(len(source.prompts.keys))
    told = ({**source.prompt(number), "split": source.part_of(number)} for number in prompts)
    return pa.Table.from_pylist([{name: row[name] for name in schema.names} for row in told], schema)
