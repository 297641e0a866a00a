"""Judgments that people made elsewhere, from a file: about single responses, or about pairs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from unicodedata import normalize

from django.db.models import Count, Max, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from annotation.actions import bulk
from annotation.actions.enrolment import enrol_imported, pseudonym
from annotation.actions.imports.cells import (
    BadRow,
    label,
    moment,
    raw_text,
    required_word,
    whole,
    word,
    yes_or_no,
)
from annotation.actions.imports.loading import Imported, Progress, Skipped, load
from annotation.actions.imports.mapping import Mapping
from annotation.actions.imports.responses import MOST_SAMPLES
from annotation.models import Enrolment, Judgment, Pair, Response, ResponseJudgment, Study, User
from annotation.vocabulary import (
    PAIR_QUESTIONS,
    UNSAFE_LEVELS,
    JudgmentSource,
    PairState,
    ResponseMode,
    SafetyLevel,
    Severity,
    Side,
)

JUDGMENT, PART = bulk.Blueprint(Judgment), bulk.Blueprint(ResponseJudgment)
RESPONSE_QUESTIONS = ("safety", "severity", "helpfulness", "mode")
SAFETY_LEVELS, SEVERITIES, MODES = SafetyLevel.values, Severity.values, ResponseMode.values
FIELDS = (
    "prompt_key",
    "sample",
    "arm",
    *RESPONSE_QUESTIONS,
    "arm_a",
    "arm_b",
    "left_arm",
    *PAIR_QUESTIONS,
    "both_bad",
    *[f"{side}_{question}" for side in "ab" for question in RESPONSE_QUESTIONS],
    "rater_id",
    "rationale",
    "created_at",
)


def import_judgments(
    study: Study,
    path: Path,
    mapping: Mapping | None = None,
    *,
    hide_raters: bool = False,
    skip_bad: bool = False,
    actor: User | None = None,
    on_skip: Skipped | None = None,
    on_progress: Progress | None = None,
) -> Imported:
    """Judgments of responses and pairs that the study has, by raters who need no account.

    With `hide_raters`, each rater's id is replaced by a pseudonym. A judgment that is there already,
    identical, changes nothing; another one by the same rater about the same thing is a bad row, and so
    is a second one in the file. Raises ImportRefused with every bad row.
    """
    loader = JudgmentLoader(study, hide_raters)
    return load(loader, study, path, mapping or Mapping(), skip_bad, actor, on_skip, on_progress)


@dataclass(frozen=True)
class _Answers:
    """About one response; what was not asked is "" or None."""

    safety: str = ""
    severity: str = ""
    helpfulness: int | None = None
    mode: str = ""


NO_ANSWERS = _Answers()


@dataclass(frozen=True)
class JudgmentRow:
    """`arms` is one name, or the two of a pair in the file's order, whose answers point to the second."""

    key: str
    sample: int
    rater: str
    arms: tuple[str, ...]
    answers: tuple[_Answers, ...]
    safer: int | None = None
    more_helpful: int | None = None
    balance: int | None = None
    both_bad: bool = False
    left_arm: str = ""
    rationale: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True)
class _Found:
    """Where in the study a row belongs. `turned`: the pair's canonical order is not the file's."""

    rater: Enrolment
    responses: tuple[int, ...]
    pair: int | None = None
    turned: bool = False

    @property
    def key(self) -> tuple[int, str, int]:
        return (self.rater.pk, "pair" if self.pair else "response", self.pair or self.responses[0])


class JudgmentLoader:
    fields = FIELDS
    verb = "import_judgments"

    def __init__(self, study: Study, hide_raters: bool, repeats_from: str = ""):
        """`repeats_from`: the rater whose judgment may stand in a file twice, if both are the same."""
        self.study, self.hide_raters = study, hide_raters
        self.repeats_from = repeats_from
        self.arms = {arm.name: arm for arm in study.arms.all()}
        self.last_before = study.judgments.aggregate(last=Max("pk"))["last"] or 0

    def plain(self, values: dict) -> dict:
        return values

    def missing(self, has: Callable[[str], bool]) -> list[str]:
        missing = [name for name in ("prompt_key", "rater_id") if not has(name)]
        if not has("arm") and not (has("arm_a") and has("arm_b")):
            missing.append("arm (or arm_a and arm_b)")
        return missing

    def read(self, row: dict) -> JudgmentRow:
        is_pair = bool(word(row.get("arm_a"), "arm_a") or word(row.get("arm_b"), "arm_b"))
        if is_pair and word(row.get("arm"), "arm"):
            raise BadRow("Give “arm” for one response, or “arm_a” and “arm_b” for a pair, not both.")
        return JudgmentRow(
            key=required_word(row.get("prompt_key"), "prompt_key"),
            sample=whole(row.get("sample"), "sample", 0, MOST_SAMPLES) or 0,
            rater=self._rater_code(row),
            rationale=raw_text(row.get("rationale"), "rationale"),
            created_at=moment(row.get("created_at"), "created_at"),
            **(_pair_fields(row, self.study.allow_tie) if is_pair else _response_fields(row)),
        )

    def _rater_code(self, row: dict) -> str:
        if self.hide_raters:
            name = required_word(row.get("rater_id"), "rater_id", longest=1000)
            return pseudonym(self.study, f"imported {name}")
        name = required_word(row.get("rater_id"), "rater_id", longest=100)
        if "@" in normalize("NFKC", name):  # also the full-width and the small one
            raise BadRow(
                "“rater_id” is an e-mail address, which exports would show. Hide it with --hide-raters."
            )
        return name

    def keep(self, rows: list[tuple[int, JudgmentRow]], result: Imported, refuse: Skipped) -> None:
        self.keep_about(LookUp.of(self.study, self.arms, [row for _, row in rows]), rows, result, refuse)

    def keep_about(
        self, look_up: "LookUp", rows: list[tuple[int, JudgmentRow]], result: Imported, refuse: Skipped
    ) -> None:
        """`keep` with the responses and pairs of the rows looked up already."""
        raters = self._raters({row.rater for _, row in rows})
        found = []
        for line, row in rows:
            try:
                found.append((line, row, self._find(row, look_up, raters, result)))
            except BadRow as problem:
                refuse(line, str(problem))
        self._keep_found(found, look_up.fresh, result, refuse)

    def finish(self) -> None:
        """Count what each imported rater has judged by now."""
        counted = (
            Judgment.objects.filter(enrolment=OuterRef("pk"))
            .order_by()
            .values("enrolment")
            .annotate(number=Count("pk"))
            .values("number")
        )
        self.study.enrolments.filter(user=None).update(judged=Coalesce(Subquery(counted), 0))

    def _raters(self, codes: set[str]) -> dict[str, Enrolment]:
        return {rater.code: rater for rater in self.study.enrolments.filter(code__in=codes)}

    def _find(self, row: JudgmentRow, look_up: "LookUp", raters: dict, result: Imported) -> _Found:
        """Raises BadRow when the study has no such response or pair. Enrols the rater only afterwards."""
        responses = tuple(look_up.response(row, arm) for arm in row.arms)
        pair, turned = look_up.pair(row, responses) if len(responses) == 2 else (None, False)
        rater = raters.get(row.rater)
        if rater is None:
            rater = raters[row.rater] = enrol_imported(self.study, row.rater)
            result.new_raters += 1
        if rater.user_id is not None:
            raise BadRow(f"“{row.rater}” is the code of somebody who rates in this study.")
        return _Found(rater, responses, pair, turned)

    def _keep_found(
        self,
        found: list[tuple[int, JudgmentRow, _Found]],
        fresh: set[int],
        result: Imported,
        refuse: Skipped,
    ) -> None:
        known = self._known([place for _, _, place in found if not fresh.issuperset(place.responses)])
        new: dict[tuple, tuple[Judgment, list[ResponseJudgment]]] = {}
        for line, row, place in found:
            made = self._judgment(row, place)
            if self.repeats_from == row.rater and place.key in new:
                self._take_repeat(line, row, made, new[place.key], result, refuse)
            elif row.rater != self.repeats_from and self._is_second(place, new, known):
                refuse(line, f"Rater “{row.rater}” has judged this {place.key[1]} in an earlier row already.")
            elif place.key not in known:
                new[place.key] = made
            elif known[place.key][1] == _content(*made):
                result.already_there += 1
            else:
                refuse(line, f"Rater “{row.rater}” has judged this {place.key[1]} otherwise already.")
        bulk.insert([judgment for judgment, _ in new.values()])
        parts = [part for _, parts in new.values() for part in parts]
        bulk.refer_to_saved(parts, "judgment")
        bulk.insert(parts)
        result.new += len(new)

    def _is_second(self, place: _Found, new: dict, known: dict) -> bool:
        return place.key in new or known.get(place.key, (0,))[0] > self.last_before

    def _take_repeat(
        self, line: int, row: JudgmentRow, made: tuple, earlier: tuple, result: Imported, refuse: Skipped
    ) -> None:
        if _content(*made) == _content(*earlier):
            result.already_there += 1
        else:
            refuse(line, f"“{row.rater}” has judged these answers otherwise in an earlier row.")

    def _known(self, places: list[_Found]) -> dict[tuple, tuple[int, tuple]]:
        """The imported judgments there are about what the chunk judges: primary key and content."""
        imported = Judgment.objects.filter(
            enrolment__in={place.rater.pk for place in places}, source=JudgmentSource.IMPORTED
        ).prefetch_related("responses")
        of_pairs = imported.filter(pair__in={place.pair for place in places if place.pair})
        of_responses = imported.filter(
            response__in={place.responses[0] for place in places if not place.pair}
        )
        known = {}
        for judgment in [*of_pairs, *of_responses]:
            kind = "pair" if judgment.pair_id else "response"
            key = (judgment.enrolment_id, kind, judgment.pair_id or judgment.response_id)
            known[key] = (judgment.pk, _content(judgment, judgment.responses.all()))
        return known

    def _judgment(self, row: JudgmentRow, place: _Found) -> tuple[Judgment, list[ResponseJudgment]]:
        left_is_a = _left_is_a(row, place)
        values = {
            "source": JudgmentSource.IMPORTED,
            "pair_id": place.pair,
            "response_id": None if place.pair else place.responses[0],
            "guideline_condition": self.study.guideline_condition,
            "left_is_a": left_is_a,
            "both_bad": row.both_bad,
            "rationale": row.rationale,
            "created_at": row.created_at or timezone.now(),
            **_pair_columns(row, place.turned, left_is_a),
        }
        judgment = JUDGMENT({"study": self.study, "enrolment": place.rater}, values)
        parts = [
            _response_judgment(judgment, response, answers, _side(row, arm))
            for response, answers, arm in zip(place.responses, row.answers, row.arms, strict=True)
            if answers != NO_ANSWERS
        ]
        return judgment, parts


class LookUp:
    """The responses and pairs that a chunk speaks of, fetched once.

    `responses` by prompt key, arm and sample, `pairs` by the two responses, `fresh` the responses that came
    in with the chunk, about which nobody can have judged before.
    """

    def __init__(self, arms: dict, keys: Iterable[str], responses: dict, pairs: dict):
        self.arms, self.keys = arms, set(keys)
        self.responses: dict[tuple[str, str, int], int] = responses
        self.pairs: dict[tuple[int, int], int] = pairs
        self.dropped: set[int] = set()
        self.fresh: set[int] = set()

    @classmethod
    def of(cls, study: Study, arms: dict, rows: Sequence[JudgmentRow]) -> "LookUp":
        """What the database has of these rows."""
        prompts = dict(study.prompts.filter(key__in={row.key for row in rows}).values_list("key", "pk"))
        numbers = {
            (prompts[row.key], arms[arm].pk, row.sample): (row.key, arm, row.sample)
            for row in rows
            for arm in row.arms
            if row.key in prompts and arm in arms
        }
        responses = {numbers[key]: pk for key, pk in _responses(numbers).items()}
        found = cls(arms, prompts, responses, {})
        two = [row for row in rows if len(row.arms) == 2]
        in_pairs = {responses.get((row.key, arm, row.sample)) for row in two for arm in row.arms} - {None}
        pairs = Pair.objects.filter(response_a__in=in_pairs)
        for pk, a, b, state in pairs.values_list("pk", "response_a", "response_b", "state"):
            found.pairs[a, b] = pk
            if state == PairState.DROPPED:
                found.dropped.add(pk)
        return found

    def response(self, row: JudgmentRow, arm: str) -> int:
        """Primary key of the arm's response. Raises BadRow."""
        if row.key not in self.keys:
            raise BadRow(f"The study has no prompt “{row.key}”.")
        if arm not in self.arms:
            raise BadRow(f"“{arm}” is not an arm of this study ({', '.join(self.arms)}).")
        response = self.responses.get((row.key, arm, row.sample))
        if response is None:
            raise BadRow(f"Arm “{arm}” has no response to prompt “{row.key}”, sample {row.sample}.")
        return response

    def pair(self, row: JudgmentRow, responses: tuple[int, ...]) -> tuple[int, bool]:
        """Primary key of the pair, and whether its order is the other way round. Raises BadRow."""
        first, second = responses
        pair = self.pairs.get((first, second)) or self.pairs.get((second, first))
        if pair in self.dropped:
            raise BadRow(f"The pair of prompt “{row.key}”, sample {row.sample}, was dropped from the study.")
        if pair:
            return pair, (first, second) not in self.pairs
        raise BadRow(
            f"The two responses to prompt “{row.key}”, sample {row.sample}, are not paired: "
            "import the responses again without --no-pairs."
        )


def _responses(wanted: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int, int], int]:
    wanted = set(wanted)
    there = (
        Response.objects.current()
        .filter(prompt__in={key[0] for key in wanted}, arm__in={key[1] for key in wanted})
        .values_list("prompt_id", "arm_id", "sample", "pk")
    )
    return {tuple(key): pk for *key, pk in there.iterator() if tuple(key) in wanted}


def _response_fields(row: dict) -> dict:
    answers = _answers(row)
    if answers == NO_ANSWERS:
        raise BadRow(f"The row answers none of: {', '.join(RESPONSE_QUESTIONS)}.")
    return {"arms": (required_word(row.get("arm"), "arm"),), "answers": (answers,)}


def _pair_fields(row: dict, allow_tie: bool) -> dict:
    arms = tuple(required_word(row.get(name), name) for name in ("arm_a", "arm_b"))
    fields = {question: whole(row.get(question), question, -3, 3) for question in PAIR_QUESTIONS}
    fields |= {
        "arms": arms,
        "answers": (_answers(row, "a_"), _answers(row, "b_")),
        "both_bad": yes_or_no(row.get("both_bad"), "both_bad"),
        "left_arm": word(row.get("left_arm"), "left_arm"),
    }
    _refuse_pair(fields, allow_tie)
    return fields


def _refuse_pair(fields: dict, allow_tie: bool) -> None:
    given = [fields[question] for question in PAIR_QUESTIONS]
    if fields["arms"][0] == fields["arms"][1]:
        raise BadRow("“arm_a” and “arm_b” are the same arm.")
    if fields["left_arm"] and fields["left_arm"] not in fields["arms"]:
        raise BadRow("“left_arm” is neither “arm_a” nor “arm_b”.")
    if fields["both_bad"] and fields["balance"] is not None:
        raise BadRow("A row has a “balance” or is “both_bad”, not both.")
    if 0 in given and not allow_tie:
        raise BadRow("This study has no “about equal”: 0 is not an answer.")
    if not fields["both_bad"] and set(given) == {None} and set(fields["answers"]) == {NO_ANSWERS}:
        raise BadRow("The row answers no question about the pair or its responses.")


def _answers(row: dict, prefix: str = "") -> _Answers:
    safety = label(row.get(f"{prefix}safety"), f"{prefix}safety", SAFETY_LEVELS)
    severity = label(row.get(f"{prefix}severity"), f"{prefix}severity", SEVERITIES)
    if severity and safety not in UNSAFE_LEVELS:
        raise BadRow(f"“{prefix}severity” is {severity}, but only an unsafe response has a severity.")
    return _Answers(
        safety=safety,
        severity=severity,
        helpfulness=whole(row.get(f"{prefix}helpfulness"), f"{prefix}helpfulness", 1, 4),
        mode=label(row.get(f"{prefix}mode"), f"{prefix}mode", MODES),
    )


def _left_is_a(row: JudgmentRow, place: _Found) -> bool | None:
    """Whether the canonical first response was on the left; None when the file does not say."""
    if not row.left_arm:
        return None
    return (row.left_arm == row.arms[0]) != place.turned


def _pair_columns(row: JudgmentRow, turned: bool, left_is_a: bool | None) -> dict:
    columns = {}
    for question in PAIR_QUESTIONS:
        answer = getattr(row, question)
        canonical = -answer if turned and answer is not None else answer
        columns[f"{question}_canonical"] = canonical
        if canonical is not None and left_is_a is not None:
            columns[question] = canonical if left_is_a else -canonical
    return columns


def _side(row: JudgmentRow, arm: str) -> str:
    if not row.left_arm:
        return ""
    return Side.LEFT if arm == row.left_arm else Side.RIGHT


def _response_judgment(judgment: Judgment, response: int, answers: _Answers, side: str) -> ResponseJudgment:
    values = {
        "response_id": response,
        "side": side,
        "safety": answers.safety,
        "severity": answers.severity,
        "helpfulness": answers.helpfulness,
        "mode": answers.mode,
    }
    return PART({"judgment": judgment}, values)


def _content(judgment: Judgment, parts: Iterable[ResponseJudgment]) -> tuple:
    """What makes two judgments of one rater about one thing the same; times do not."""
    answers = [
        (part.response_id, part.side, part.safety, part.severity, part.helpfulness or 0, part.mode)
        for part in parts
    ]
    canonical = [getattr(judgment, f"{question}_canonical") for question in PAIR_QUESTIONS]
    return (judgment.left_is_a, canonical, judgment.both_bad, judgment.rationale, sorted(answers))
