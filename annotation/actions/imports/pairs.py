"""Preference data of any known format: prompts, their answers, pairs of these, and what was judged.

The rows become those of the two other importers, which check and keep them; here is only what they do not
know: which sample an answer is, and which two make a pair.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import combinations
from pathlib import Path

from annotation.actions.imports.cells import BadRow
from annotation.actions.imports.foreign import DATASET, Foreign, Format
from annotation.actions.imports.formats import FORMATS, Recognised, recognise
from annotation.actions.imports.judgments import JudgmentLoader, JudgmentRow, LookUp
from annotation.actions.imports.loading import Imported, Loader, Progress, Skipped, load
from annotation.actions.imports.mapping import Mapping
from annotation.actions.imports.responses import (
    MOST_SAMPLES,
    ROWS_AT_ONCE,
    PromptLoader,
    ResponseLoader,
    ResponseRow,
)
from annotation.actions.pairing import keep_imported, make_pairs, new_pair
from annotation.models import Arm, Pair, Prompt, Response, Study, User

VERB = "import_preferences"
MOST_LOOKED_THROUGH = 64
"""Samples of a prompt that are looked through for one where an answer fits beside those of other arms."""


def import_preferences(
    study: Study,
    path: Path,
    format_name: str = "",
    mapping: Mapping | None = None,
    *,
    hide_raters: bool = False,
    skip_bad: bool = False,
    actor: User | None = None,
    on_skip: Skipped | None = None,
    on_progress: Progress | None = None,
    on_recognised: Callable[[Recognised], object] | None = None,
) -> Imported:
    """Preference data in any format of `formats.TITLES`: all of the file, or nothing of it.

    What is there already, identical, changes nothing. Raises ImportRefused with every bad row.
    """
    given = mapping or Mapping()
    found = recognise(path, format_name, given)
    if on_recognised:
        on_recognised(found)
    loader = loader_for(study, found, given, hide_raters)
    result = load(loader, study, path, found.mapping(given), skip_bad, actor, on_skip, on_progress)
    if found.name == "responses":
        result.new_pairs = make_pairs(study, actor)
    return result


def loader_for(study: Study, found: Recognised, mapping: Mapping, hide_raters: bool = False) -> Loader:
    """What keeps the rows of a file of this format."""
    if found.name in FORMATS:
        return PreferenceLoader(study, FORMATS[found.name], found.mapping(mapping), hide_raters)
    if found.name == "judgments":
        return JudgmentLoader(study, hide_raters)
    return PromptLoader(study) if found.name == "prompts" else ResponseLoader(study)


def parse_mapping(
    found: Recognised,
    columns: Iterable[str] = (),
    values: Iterable[str] = (),
    constants: Iterable[str] = (),
) -> Mapping:
    """`Mapping.parse` for the fields of what was recognised. Raises DomainError."""
    return Mapping.parse(found.fields, columns, values, constants)


@dataclass(frozen=True)
class PreferenceRow:
    """The rows of the two other importers that one row of the file became; samples are chosen later."""

    answers: tuple[ResponseRow, ...]
    judgments: tuple[JudgmentRow, ...]
    has_sample: bool
    pair_key: str

    @property
    def key(self) -> str:
        return self.answers[0].key

    def at(self, sample: int) -> "PreferenceRow":
        """The same with every answer and judgment at this sample."""
        if sample == self.answers[0].sample:
            return self
        return replace(
            self,
            answers=tuple(replace(answer, sample=sample) for answer in self.answers),
            judgments=tuple(replace(judgment, sample=sample) for judgment in self.judgments),
        )


class PreferenceLoader:
    """Keeps rows of one format through the loaders of responses and of judgments."""

    verb = VERB

    def __init__(self, study: Study, one: Format, mapping: Mapping, hide_raters: bool):
        self.study, self.format, self.fields = study, one, one.fields
        self.columns = {name: mapping.column_of(name) for name in one.fields}
        self.responses = ResponseLoader(study)
        self.judgments = JudgmentLoader(study, hide_raters, repeats_from=DATASET)
        self.judgments.arms = self.responses.arms

    @property
    def last_before(self) -> int:
        return self.judgments.last_before

    @last_before.setter
    def last_before(self, last: int) -> None:
        self.judgments.last_before = last

    def plain(self, values: dict) -> dict:
        return self.format.plain(values)

    def missing(self, has: Callable[[str], bool]) -> list[str]:
        missing = [name for name in self.format.needs if not has(name)]
        is_new = not has("intent") and not self.study.prompts.exists()
        return [*missing, "intent"] if is_new else missing

    def read(self, row: dict) -> PreferenceRow:
        foreign = self.format.read(row, self.columns)
        if len({answer.arm for answer in foreign.answers}) < len(foreign.answers):
            raise BadRow("Two answers of the row are said to come from the same arm.")
        prompt = {**foreign.prompt, "sample": foreign.sample}
        first, *others = [{"arm": one.arm, "response": one.text} for one in foreign.answers]
        whole = self.responses.read(prompt | first)
        answers = [whole, *(replace(whole, arm=one["arm"], text=one["response"]) for one in others)]
        return PreferenceRow(
            tuple(answers), self._judged(foreign, whole), foreign.sample is not None, foreign.pair_key
        )

    def _judged(self, foreign: Foreign, whole: ResponseRow) -> tuple[JudgmentRow, ...]:
        where = {"prompt_key": whole.key, "sample": whole.sample}
        return tuple(self.judgments.read(where | judgment) for judgment in foreign.judgments)

    def keep(self, rows: list[tuple[int, object]], result: Imported, refuse: Skipped) -> None:
        bad: set[int] = set()

        def note(line: int, reason: str) -> None:
            if line not in bad:
                bad.add(line)
                refuse(line, reason)

        placed = self._placed(rows, note)
        new, count = self.responses.new_of(
            [(line, answer) for line, row in placed for answer in row.answers], result, note
        )
        placed = [(line, row) for line, row in placed if line not in bad]
        pairs = self._pairs(placed, new, note)
        result.new_pairs += keep_imported(self.study, list(new.values()), pairs)
        result.new += count
        kept = [(line, one) for line, row in placed if line not in bad for one in row.judgments]
        judged = Imported()
        self.judgments.keep_about(self._look_up(kept, new, pairs), kept, judged, note)
        result.new_judgments += judged.new
        result.judgments_already_there += judged.already_there
        result.new_raters += judged.new_raters

    def _look_up(self, rows: Sequence[tuple[int, JudgmentRow]], new: dict, pairs: Sequence[Pair]) -> LookUp:
        """Where the judgments belong: of answers that came with this chunk that is known."""
        old = [row for _, row in rows if any((row.key, arm, row.sample) not in new for arm in row.arms)]
        found = (
            LookUp.of(self.study, self.judgments.arms, old)
            if old
            else LookUp(self.judgments.arms, (), {}, {})
        )
        found.keys |= {key for key, _, _ in new}
        found.responses |= {key: response.pk for key, response in new.items()}
        found.pairs |= {(pair.response_a_id, pair.response_b_id): pair.pk for pair in pairs}
        found.fresh = {response.pk for response in new.values()}
        return found

    def finish(self) -> None:
        self.judgments.finish()

    def _placed(self, rows: Sequence[tuple[int, object]], refuse: Skipped) -> list[tuple[int, PreferenceRow]]:
        """The rows, each at its sample: the one with the same texts, or the first that is free."""
        samples = _Samples(self.study, self.responses.arms, [row for _, row in rows])
        placed = []
        for line, row in rows:
            try:
                placed.append((line, row if row.has_sample else row.at(samples.of(row))))
            except BadRow as problem:
                refuse(line, str(problem))
        return placed

    def _pairs(self, placed: Sequence[tuple[int, PreferenceRow]], new: dict, refuse: Skipped) -> list[Pair]:
        """The pairs that the rows name and the study lacks, unsaved."""
        places = [(line, row, self._two(row)) for line, row in placed if len(row.answers) > 1]
        wanted = {key for _, _, twos in places for two in twos for key in two}
        there = self._there(wanted - set(new))
        responses = there | new
        known = set(
            Pair.objects.filter(response_a__in=[one.pk for one in there.values()]).values_list(
                "response_a", "response_b"
            )
        )
        pairs: dict[tuple, Pair] = {}
        for _, row, twos in places:
            for two in twos:
                a, b = sorted((responses[key] for key in two), key=lambda one: one.arm.position)
                if two in pairs or ((a.pk, b.pk) in known and a.pk and b.pk):
                    continue
                pairs[two] = new_pair(self.study, a, b)
                if row.pair_key and len(twos) == 1:
                    pairs[two].position = int(row.pair_key, 16)
        return self._with_own_positions(list(pairs.values()))

    def _with_own_positions(self, pairs: list[Pair]) -> list[Pair]:
        """Positions name pairs: one that another pair has is not given again."""
        named = [pair for pair in pairs if pair.position != pair.place]
        taken = self._taken([pair.position for pair in named]) if named else set()
        for pair in named:
            if pair.position in taken:
                pair.position = pair.place  # where it would stand without a name
            taken.add(pair.position)
            pair.place = pair.position
        return pairs

    def _taken(self, positions: list[int]) -> set[int]:
        there = Pair.objects.filter(study=self.study, position__in=positions)
        return set(there.values_list("position", flat=True))

    def _two(self, row: PreferenceRow) -> list[tuple]:
        keys = [(row.key, answer.arm, answer.sample) for answer in row.answers]
        return list(combinations(sorted(keys), 2))

    def _there(self, wanted: set[tuple[str, str, int]]) -> dict[tuple[str, str, int], Response]:
        """Responses that the study had before, without texts, by prompt key, arm and sample."""
        if not wanted:
            return {}
        rows = (
            Response.objects.current()
            .filter(study=self.study, prompt__key__in={key for key, _, _ in wanted})
            .select_related("prompt", "arm")
            .defer("reasoning", "provenance", "prompt__messages", "text")
        )
        found = {(row.prompt.key, row.arm.name, row.sample): row for row in rows}
        return {key: found[key] for key in wanted if key in found}


class _Samples:
    """Which samples the prompts of a chunk have, by what their arms answered."""

    def __init__(self, study: Study, arms: dict[str, Arm], rows: Sequence[PreferenceRow]):
        self.by_texts: dict[tuple, int] = {}
        self.there: dict[str, dict[int, dict[str, bytes]]] = {}
        for key, arm, sample, digest in self._kept(study, rows):
            self.there.setdefault(key, {}).setdefault(sample, {})[arm] = digest
        for key, samples in self.there.items():
            for sample, texts in samples.items():
                self.by_texts.setdefault(_named(key, texts), sample)

    def _kept(self, study: Study, rows: Sequence[PreferenceRow]) -> Iterable[tuple[str, str, int, bytes]]:
        keys = {row.key for row in rows if not row.has_sample}
        old = dict(Prompt.objects.filter(study=study, key__in=keys).values_list("pk", "key"))
        if not old:
            return
        kept = Response.objects.current().filter(prompt__in=old)
        columns = ("prompt_id", "arm__name", "sample", "text")
        for prompt, arm, sample, text in kept.values_list(*columns).iterator(chunk_size=ROWS_AT_ONCE):
            yield old[prompt], arm, sample, sha256(text.encode()).digest()

    def of(self, row: PreferenceRow) -> int:
        """The sample of the row's answers. Raises BadRow when the prompt has too many."""
        texts = {answer.arm: sha256(answer.text.encode()).digest() for answer in row.answers}
        samples = self.there.setdefault(row.key, {})
        name = _named(row.key, texts)
        if name not in self.by_texts:
            self.by_texts[name] = sample = self._free(samples, texts)
            samples.setdefault(sample, {}).update(texts)
        return self.by_texts[name]

    def _free(self, samples: dict[int, dict[str, bytes]], texts: dict[str, bytes]) -> int:
        for sample in range(min(len(samples), MOST_LOOKED_THROUGH)):
            there = samples.get(sample, {})
            if all(there.get(arm, digest) == digest for arm, digest in texts.items()):
                return sample
        sample = max(samples, default=-1) + 1
        if sample > MOST_SAMPLES:
            raise BadRow(f"The prompt has {MOST_SAMPLES:,} samples already.")
        return sample


def _named(key: str, texts: dict[str, bytes]) -> tuple:
    return (key, *sorted(texts.items()))
