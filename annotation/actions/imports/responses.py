"""Prompts, and what named arms answered to them, from a file."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction

from annotation import scan, strict_json
from annotation.actions import bulk
from annotation.actions.arms import add_arm
from annotation.actions.imports.cells import BadRow, label, raw_text, required_word, whole, word, words
from annotation.actions.imports.loading import Imported, Progress, Skipped, load
from annotation.actions.imports.mapping import Mapping
from annotation.actions.pairing import make_pairs
from annotation.actions.prompts import check_category, check_language, clean_messages
from annotation.actions.studies import create_study
from annotation.errors import DomainError
from annotation.models import Arm, Prompt, Response, Study, User
from annotation.vocabulary import FinishReason, Intent

FIELDS = (
    "prompt_key",
    "prompt",
    "messages",
    "intent",
    "harm_category",
    "subset",
    "family",
    "language",
    "arm",
    "response",
    "sample",
    "replaced_at",
)
PROMPT_FIELDS = (
    "prompt",
    "messages",
    "intent",
    "prompt_key",
    "harm_category",
    "subset",
    "family",
    "language",
)
COMMON_NAMES = {
    "prompt": ("prompt", "text", "question", "instruction", "input", "query", "request"),
    "messages": ("messages", "conversation"),
    "prompt_key": ("prompt_key", "key", "id", "prompt_id", "name"),
    "intent": ("intent",),
    "harm_category": ("harm_category", "category"),
    "subset": ("subset", "tags"),
    "family": ("family", "group"),
    "language": ("language", "lang"),
}
"""What others call the columns of a list of prompts."""
MOST_SAMPLES = 32_767  # what a small integer column holds
ROWS_AT_ONCE = 8  # texts fetched together; each may be megabytes
PROMPT, RESPONSE = bulk.Blueprint(Prompt), bulk.Blueprint(Response)
Key = tuple[int, int, int]
"""Prompt, arm, sample."""

Named = tuple[str, str, int]
"""The same by the prompt's key and the arm's name."""


def import_responses(
    study: Study,
    path: Path,
    mapping: Mapping | None = None,
    *,
    pairs: bool = True,
    skip_bad: bool = False,
    actor: User | None = None,
    on_skip: Skipped | None = None,
    on_progress: Progress | None = None,
) -> Imported:
    """Responses, and the prompts and arms that are missing for them; then pairs, unless told not to.

    Responses that are there already, identical, change nothing. Raises ImportRefused with every bad row.
    `on_skip(line, reason)` is called for each row skipped, `on_progress(rows)` after each chunk.
    """
    loader = ResponseLoader(study)
    result = load(loader, study, path, mapping or Mapping(), skip_bad, actor, on_skip, on_progress)
    if pairs:
        result.new_pairs = make_pairs(study, actor)
    return result


@transaction.atomic
def import_into_new_study(
    slug: str,
    title: str,
    path: Path,
    mapping: Mapping | None = None,
    researcher: User | None = None,
    **options,
) -> Imported:
    """A draft study made from the file; a refused file leaves no study. `options`: as above."""
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise DomainError(f"“{slug}” cannot name a study: use letters, digits, - and _ only.") from error
    if not title.strip():
        raise DomainError("The study's title is empty.")
    for name, field in ((slug, "slug"), (title, "title")):
        longest = Study._meta.get_field(field).max_length
        if len(name) > longest:
            raise DomainError(f"The study's {field} has {len(name)} characters; {longest} is the most.")
    study = create_study(slug, title, researcher)
    return import_responses(study, path, mapping, actor=researcher, **options)


@dataclass(frozen=True)
class ResponseRow:
    """`messages` is None and the labels are empty where the file leaves them to a prompt that is there.

    `arm` is empty in a row that brings a prompt alone; so does one whose response a later one replaced.
    """

    key: str
    messages: list[dict] | None
    intent: str
    harm_category: str
    subset: list[str]
    family: str
    language: str
    arm: str
    text: str
    sample: int


class ResponseLoader:
    fields = FIELDS
    verb = "import_responses"
    last_before = 0

    def __init__(self, study: Study):
        self.study = study
        self.arms = {arm.name: arm for arm in study.arms.all()}

    def missing(self, has: Callable[[str], bool]) -> list[str]:
        # A file without both brings prompts alone.
        alone = not has("arm") and not has("response")
        missing = [name for name in ("prompt_key", *(() if alone else ("arm", "response"))) if not has(name)]
        if self.study.prompts.exists():
            return missing
        if not has("prompt") and not has("messages"):
            missing.append("prompt")
        return missing if has("intent") else [*missing, "intent"]

    def read(self, row: dict) -> ResponseRow:
        replaced = bool(word(row.get("replaced_at"), "replaced_at"))
        alone = replaced or (row.get("response") is None and not word(row.get("arm"), "arm"))
        if row.get("response") is None and not alone:
            raise BadRow("“response” is missing. An empty answer is written as an empty text.")
        return ResponseRow(
            key=required_word(row.get("prompt_key"), "prompt_key"),
            messages=_messages(row),
            intent=label(row.get("intent"), "intent", Intent.values),
            harm_category=self._category(row),
            subset=words(row.get("subset"), "subset"),
            family=word(row.get("family"), "family"),
            language=_language(row),
            arm="" if alone else required_word(row.get("arm"), "arm", longest=100),
            text="" if alone else raw_text(row["response"], "response"),
            sample=whole(row.get("sample"), "sample", 0, MOST_SAMPLES) or 0,
        )

    def _category(self, row: dict) -> str:
        category = word(row.get("harm_category"), "harm_category", longest=64)
        try:
            check_category(self.study, category)
        except DomainError as error:
            raise BadRow(str(error)) from error
        return category

    def plain(self, values: dict) -> dict:
        return values

    def keep(self, rows: list[tuple[int, ResponseRow]], result: Imported, refuse: Skipped) -> None:
        new, _ = self.new_of(rows, result, refuse)
        bulk.insert(list(new.values()))
        result.new += len(new)

    def new_of(
        self, rows: list[tuple[int, ResponseRow]], result: Imported, refuse: Skipped
    ) -> tuple[dict[Named, Response], int]:
        """The responses that the study lacks, unsaved, by prompt key, arm and sample, and how many lines
        brought one; their prompts and arms are made. Of a line with several, all can be taken or none.
        """
        arms = len(self.arms)
        old, made = self._prompts(rows, result)
        prompts = old | made
        wanted = [(line, row, prompts.get(row.key)) for line, row in rows]
        known = self._known([(row, old[row.key]) for _, row, _ in wanted if row.key in old])
        new: dict[Key, Response] = {}
        lines = 0
        for line, group in groupby(wanted, key=itemgetter(0)):
            try:
                taken = [self._take(row, prompt, known, new) for _, row, prompt in group]
            except BadRow as problem:
                refuse(line, str(problem))
                continue
            brought = {key: response for key, response in taken if response is not None}
            lines += bool(brought)
            result.already_there += bool(taken) and not brought and taken[0][0] is not None
            new |= brought
        result.new_arms += len(self.arms) - arms
        return {(one.prompt.key, one.arm.name, one.sample): one for one in new.values()}, lines

    def finish(self) -> None:
        """Nothing is left to do."""

    def _prompts(
        self, rows: list[tuple[int, ResponseRow]], result: Imported
    ) -> tuple[dict[str, Prompt], dict[str, Prompt]]:
        """The chunk's prompts by key: those that were there, and those made now, which are fully given."""
        keys = {row.key for _, row in rows}
        # A conversation may be long; it is read only where the file brings one to compare.
        brought = {row.key for _, row in rows if row.messages is not None}
        there = self.study.prompts
        prompts = {prompt.key: prompt for prompt in there.filter(key__in=brought)}
        prompts |= {prompt.key: prompt for prompt in there.filter(key__in=keys - brought).defer("messages")}
        brings: dict[str, ResponseRow] = {}
        for _, row in rows:
            if row.key not in prompts and row.messages and row.intent:
                brings.setdefault(row.key, row)
        new = self._new_prompts(list(brings.values()))
        bulk.insert(list(new.values()))
        result.new_prompts += len(new)
        return prompts, new

    def _new_prompts(self, rows: list[ResponseRow]) -> dict[str, Prompt]:
        untold = [row for row in rows if not row.language]
        languages = scan.languages_of_prompts([row.messages[-1]["content"] for row in untold])
        found = dict(zip((row.key for row in untold), languages, strict=True))
        return {row.key: self._new_prompt(row, row.language or found[row.key]) for row in rows}

    def _new_prompt(self, row: ResponseRow, language: str) -> Prompt:
        values = {
            "key": row.key,
            "messages": row.messages,
            "intent": row.intent,
            "harm_category": row.harm_category,
            "subset": row.subset,
            "family": row.family,
            "language": language,
        }
        return PROMPT({"study": self.study}, values)

    def _known(self, wanted: list[tuple[ResponseRow, Prompt]]) -> dict[Key, bytes]:
        """Digests of the texts that the study has already for what the chunk brings."""
        keys = {
            (prompt.pk, self.arms[row.arm].pk, row.sample) for row, prompt in wanted if row.arm in self.arms
        }
        prompts, arms, samples = ({key[place] for key in keys} for place in range(3))
        current = Response.objects.current()
        there = current.filter(prompt__in=prompts, arm__in=arms, sample__in=samples)
        rows = there.values_list("prompt_id", "arm_id", "sample", "text").iterator(chunk_size=ROWS_AT_ONCE)
        return {tuple(key): _digest(text) for *key, text in rows if tuple(key) in keys}

    def _take(
        self, row: ResponseRow, prompt: Prompt | None, known: dict[Key, bytes], new: dict
    ) -> tuple[Key | None, Response | None]:
        """Where the row's response stands, and the response where it is not there yet. Raises BadRow."""
        _refuse_contradiction(row, prompt)
        if not row.arm:
            return None, None
        arm = self._arm(row.arm)
        key = (prompt.pk, arm.pk, row.sample)
        if key not in new and key not in known:
            return key, _new_response(self.study, prompt, arm, row)
        there = _digest(new[key].text) if key in new else known[key]
        if there != _digest(row.text):
            raise BadRow(
                f"Arm “{row.arm}” has another response to prompt “{row.key}”, sample {row.sample}, already."
            )
        return key, None

    def _arm(self, name: str) -> Arm:
        if name not in self.arms:
            self.arms[name] = add_arm(self.study, name)
        if self.arms[name].generates:
            raise BadRow(f"Arm “{name}” generates its own responses. Import these under another name.")
        return self.arms[name]


class PromptLoader(ResponseLoader):
    """Prompts alone, whose file need not name them: a prompt without a key gets one from its text."""

    fields = PROMPT_FIELDS
    verb = "import_prompts"

    def missing(self, has: Callable[[str], bool]) -> list[str]:
        missing = [] if has("prompt") or has("messages") else ["prompt"]
        return missing if has("intent") else [*missing, "intent"]

    def read(self, row: dict) -> ResponseRow:
        if not word(row.get("prompt_key"), "prompt_key"):
            if _is_blank(row.get("messages")) and _is_blank(row.get("prompt")):
                raise BadRow("The row has no prompt.")
            row = {**row, "prompt_key": key_of(row.get("messages") or row.get("prompt"))}
        read = super().read({name: row.get(name) for name in PROMPT_FIELDS})
        if not read.intent:
            raise BadRow(f"“intent” is empty; it is one of: {', '.join(Intent.values)}.")
        return read

    def keep(self, rows: list[tuple[int, ResponseRow]], result: Imported, refuse: Skipped) -> None:
        before, refused = result.new_prompts, []

        def refuse_counted(line: int, reason: str) -> None:
            refused.append(line)
            refuse(line, reason)

        super().keep(rows, result, refuse_counted)
        made = result.new_prompts - before
        result.new += made
        result.already_there += max(0, len(rows) - made - len(refused))


def _is_blank(asked: object) -> bool:
    return not (asked.strip() if isinstance(asked, str) else asked)


def key_of(asked: object) -> str:
    """The name of a prompt whose file gives none: the same text has the same."""
    told = asked if isinstance(asked, str) else json.dumps(asked, sort_keys=True, default=str)
    return f"p-{sha256(told.strip().encode(errors='replace')).hexdigest()[:12]}"


def guess_prompt(row: dict) -> dict[str, str]:
    """Which columns of somebody's list of prompts give our fields."""
    names = {str(column).strip().lower(): column for column in row}
    found = {}
    for ours, theirs in COMMON_NAMES.items():
        if ours not in row and (column := next((names[name] for name in theirs if name in names), None)):
            found[ours] = column
    return found


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


def _messages(row: dict) -> list[dict] | None:
    """The conversation, from `messages` (a list, in CSV as JSON) or from `prompt`, a text."""
    messages = row.get("messages") or row.get("prompt") or None
    if row.get("messages") and row.get("prompt"):
        raise BadRow("Give “prompt” or “messages”, not both.")
    if row.get("messages") and isinstance(messages, str):
        try:
            messages = strict_json.read(messages)
        except strict_json.NotJSON as error:
            raise BadRow(f"In “messages”: {error}") from error
    try:
        return None if messages is None else clean_messages(messages)
    except DomainError as error:
        raise BadRow(str(error)) from error


def _language(row: dict) -> str:
    language = word(row.get("language"), "language", longest=20)
    try:
        check_language(language)
    except DomainError as error:
        raise BadRow(str(error)) from error
    return language


def _refuse_contradiction(row: ResponseRow, prompt: Prompt | None) -> None:
    if prompt is None:
        lacking = "text" if row.messages is None else "intent"
        raise BadRow(f"Prompt “{row.key}” is not in the study, and the row gives no {lacking} for it.")
    if row.messages is not None and row.messages != prompt.messages:
        raise BadRow(f"Prompt “{row.key}” has another text already.")
    for name in ("intent", "harm_category", "subset", "family", "language"):
        given, there = getattr(row, name), getattr(prompt, name)
        if given and given != there:
            raise BadRow(f"Prompt “{row.key}” has another {name} already ({there or 'none'}, not {given}).")


def _new_response(study: Study, prompt: Prompt, arm: Arm, row: ResponseRow) -> Response:
    values = {"sample": row.sample, "text": row.text, "finish_reason": FinishReason.IMPORTED}
    return RESPONSE({"study": study, "prompt": prompt, "arm": arm}, values)
