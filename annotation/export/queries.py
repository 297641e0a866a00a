"""What is read of a study for each table: one SELECT, and what each of its columns is made from."""

import pyarrow as pa
from django.db.models import (
    Aggregate,
    CharField,
    Exists,
    F,
    FilteredRelation,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.expressions import Combinable

from annotation.export.formats import SCHEMAS, TEXT
from annotation.export.reading import Query
from annotation.models import Enrolment, Grade, Judgment, Mark, Pair, Response, Study
from annotation.vocabulary import PAIR_QUESTIONS

RESPONSE_QUESTIONS = ("safety", "severity", "helpfulness", "mode", "categories", "facilitation")
PROMPT_LABELS = ("intent", "harm_category", "subset", "family", "language")
KEYS = {
    name: pa.int64()
    for name in (
        *("pair", "position", "assignment", "enrolment"),
        *("arm_key", "arm_a_key", "arm_b_key", "guideline_key"),
    )
}
"""Columns that are read and stand in no file. A study has few arms and guidelines: their names are looked up
here instead of being joined to a million rows."""

JUDGMENT = {
    "assignment": F("assignment"),
    "enrolment": F("enrolment"),
    "state": F("assignment__state"),
    "left_is_a": F("left_is_a"),
    **{question: F(f"{question}_canonical") for question in PAIR_QUESTIONS},
    **{f"{question}_shown": F(question) for question in PAIR_QUESTIONS},
    **{f"a_{name}": F(f"part_a__{name}") for name in RESPONSE_QUESTIONS},
    "guideline_key": F("guideline"),
    "claimed_at": F("assignment__claimed_at"),
    "submitted_at": F("assignment__submitted_at"),
    **{
        name: F(name)
        for name in (
            *("source", "revision", "both_bad", "confidence", "rationale", "extra"),
            "guideline_condition",
            "created_at",
        )
    },
}
OF_PAIR = {
    "pair": F("pair"),
    "position": F("pair__position"),
    "prompt_key": F("pair__prompt__key"),
    "sample": F("pair__response_a__sample"),
    "arm_a_key": F("pair__response_a__arm"),
    "arm_b_key": F("pair__response_b__arm"),
    "review_decision": F("pair__decision"),
    "shown_a": F("pair__shown_a"),
    "shown_b": F("pair__shown_b"),
    **{f"b_{name}": F(f"part_b__{name}") for name in RESPONSE_QUESTIONS},
}
OF_RESPONSE = {
    "response_id": F("response"),
    "prompt_key": F("response__prompt__key"),
    "sample": F("response__sample"),
    "arm_key": F("response__arm"),
}
NOTHING = Value(None, output_field=IntegerField())


def judgments_of(study: Study) -> tuple[Query, Query]:
    """Every revision of what was rated or imported: of pairs, one by one in the study's shuffled order, and
    of single responses, which a file has last. Both with the same columns.

    `part_a` holds the answers about the first response, or about the single one. One query for both would
    join every judgment to what only the other kind has.
    """
    rows = Judgment.objects.of_study_work().filter(study=study)
    of_pairs = (
        rows.filter(pair__isnull=False)
        .annotate(part_a=_answers_about("pair__response_a"), part_b=_answers_about("pair__response_b"))
        .order_by("pair__position", "pair_id", "pk")
    )
    of_responses = (
        rows.filter(pair__isnull=True)
        .annotate(part_a=_answers_about("response"))
        .order_by("response_id", "pk")
    )
    return _judgments(of_pairs, OF_PAIR), _judgments(of_responses, OF_RESPONSE)


def _answers_about(response: str) -> FilteredRelation:
    return FilteredRelation("responses", condition=Q(responses__response=F(response)))


def _judgments(rows: QuerySet, more: dict[str, Combinable]) -> Query:
    """A column that only the other kind of judgment has is null."""
    columns = dict.fromkeys([*OF_PAIR, *OF_RESPONSE], NOTHING) | JUDGMENT | more
    return _query("judgments", rows, columns, state=TEXT, left_is_a=pa.bool_())


def names_of(study: Study) -> tuple[list[tuple[int, str]], list[tuple[int, int]]]:
    """Of every arm its key and name, and of every guideline its key and version."""
    arms, guidelines = study.arms.values_list("pk", "name"), study.guidelines.values_list("pk", "version")
    return list(arms), list(guidelines)


def raters_of(study: Study) -> list[tuple[int, str | None, int | None, str]]:
    """Of everybody who has a place: its key, the label of the link they came by, their account's key, and the
    state."""
    fields = ("pk", "arrival__link__label", "user", "state")
    return list(Enrolment.objects.filter(study=study).order_by("pk").values_list(*fields))


def preferred_of(study: Study) -> Query:
    """The prompt, the labels and both texts of every pair that somebody judged, in the study's order."""
    columns = {
        "pair": F("pk"),
        "position": F("position"),
        "prompt": F("prompt__messages"),
        "text_a": F("response_a__text"),
        "text_b": F("response_b__text"),
        "prompt_key": F("prompt__key"),
        **{name: F(f"prompt__{name}") for name in PROMPT_LABELS[:-1]},
        "decision": F("decision"),
    }
    judged = Exists(Judgment.objects.filter(pair=OuterRef("pk")))
    rows = Pair.objects.filter(judged, study=study).order_by("position", "pk")
    return _query("preferences", rows, columns, text_a=TEXT, text_b=TEXT, decision=TEXT)


class _Kinds(Aggregate):
    """Kinds of marks with commas between, in no order."""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, ',')"
    output_field = CharField()

    def as_sqlite(self, compiler, connection, **context):  # noqa: ANN001, ANN201 — Django's own signature
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **context)


def _marks(of: str, key: str, scanner: str) -> Subquery:
    """The kinds of marks by the version of the scanner that looked last."""
    marks = Mark.objects.filter(**{of: OuterRef(key)}, scanner=OuterRef(scanner)).order_by()
    return Subquery(marks.values(of).annotate(kinds=_Kinds("kind")).values("kinds"))


def pairs_of(study: Study) -> Query:
    """Every pair, those that left the study too, in the study's shuffled order; `judged` says whether it
    was."""
    columns = {
        "position": F("position"),
        "prompt_key": F("prompt__key"),
        "sample": F("response_a__sample"),
        "arm_a": F("response_a__arm__name"),
        "arm_b": F("response_b__arm__name"),
        "response_a_id": F("response_a"),
        "response_b_id": F("response_b"),
        "review_decision": F("decision"),
        "marks": _marks("pair", "pk", "scanner"),
        "marks_a": _marks("response", "response_a", "response_a__scanner"),
        "marks_b": _marks("response", "response_b", "response_b__scanner"),
        **{name: F(name) for name in ("state", "shown_a", "shown_b", "overlap", "created_at")},
        "judged": Exists(Judgment.objects.filter(pair=OuterRef("pk"))),
    }
    rows = Pair.objects.filter(study=study).order_by("position", "pk")
    return _query("pairs", rows, columns, judged=pa.bool_())


def responses_of(study: Study) -> Query:
    """Every response, in the order in which they came."""
    kept = ("sample", "finish_reason", "prompt_tokens", "output_tokens", "seconds", "seed", "provenance")
    columns = {
        "response_id": F("pk"),
        "prompt_key": F("prompt__key"),
        "messages": F("prompt__messages"),
        **{name: F(f"prompt__{name}") for name in PROMPT_LABELS},
        "arm": F("arm__name"),
        "response": F("text"),
        **{name: F(name) for name in (*kept, "replaced_at", "created_at")},
    }
    return _query("responses", Response.objects.filter(study=study).order_by("pk"), columns)


def grades_of(study: Study) -> Query:
    """Every look of every judge, grading by grading. What a judge wrote around its verdict is not read."""
    kept = ("repeat", "safety", "severity", "helpfulness", "mode", "reason", "failure", "created_at")
    columns = {
        "grading_id": F("grading"),
        "response_id": F("response"),
        "prompt_key": F("response__prompt__key"),
        "arm": F("response__arm__name"),
        "sample": F("response__sample"),
        **{name: F(name) for name in kept},
    }
    rows = Grade.objects.filter(grading__study=study).order_by("grading_id", "response_id", "repeat")
    return _query("grades", rows, columns)


def _query(table: str, rows, columns: dict[str, Combinable], **types: pa.DataType) -> Query:
    """Columns of the table's own names have its types; lists are read as text."""
    fields = []
    for name in columns:
        kind = KEYS.get(name) or types.get(name) or SCHEMAS[table].field(name).type
        fields.append((name, TEXT if pa.types.is_list(kind) else kind))
    return Query(rows, columns, pa.schema(fields))
