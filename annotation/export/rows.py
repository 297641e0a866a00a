"""Table rows as plain dicts. Column names are those that the import commands read."""

from contextlib import closing

from django.db.models import Exists, F, OuterRef, QuerySet

from annotation.models import Grade, Judgment, Pair, Response, ResponseJudgment, Study
from annotation.models.joining import cohort
from annotation.models.model_settings import public_name
from annotation.vocabulary import PAIR_QUESTIONS, AssignmentState

CHUNK = 1000
PRIVATE_PROVENANCE = ("worker", "base_url")  # name a machine, which may name its owner
MAY_NAME_FOLDERS = ("model", "adapter", "served", "answering_models")  # the last two as a server tells them
RESPONSE_QUESTIONS = ("safety", "severity", "helpfulness", "mode", "categories", "facilitation")
NOT_ASKED = ResponseJudgment()


def judgments_of(study: Study) -> QuerySet[Judgment]:
    """Every revision of what was rated or imported, pair by pair in the study's shuffled order; judgments of
    single responses last.

    One SELECT: the database answers it from one moment, however long it is read and whoever judges
    meanwhile, and no lock is held. `is_current` and `counts` belong to that moment too.
    """
    same = Judgment.objects.filter(pk=OuterRef("pk"))
    return (
        Judgment.objects.of_study_work()
        .filter(study=study)
        .annotate(is_current=Exists(same.current()), counts=Exists(same.that_count()))
        .annotate(link=F("enrolment__arrival__link__label"))
        .select_related("enrolment", "assignment", "guideline")
        .select_related("pair__prompt", "pair__response_a__arm", "pair__response_b__arm")
        .select_related("response__prompt", "response__arm")
        .prefetch_related("responses")
        .order_by(F("pair__position").asc(nulls_last=True), "pair_id", "response_id", "pk")
    )


def responses_of(study: Study) -> QuerySet[Response]:
    """Every response, in the order in which they came."""
    return Response.objects.filter(study=study).select_related("prompt", "arm").order_by("pk")


def grades_of(study: Study) -> QuerySet[Grade]:
    """Every look of every judge, grading by grading. What a judge wrote around its verdict is not read."""
    return (
        Grade.objects.filter(grading__study=study)
        .select_related("response__prompt", "response__arm")
        .defer("raw_text", "reasoning", "provenance", "response__text", "response__provenance")
        .order_by("grading_id", "response_id", "repeat")
    )


def pairs_of(study: Study) -> QuerySet[Pair]:
    """Every pair, those that left the study too, in the study's shuffled order; `judged` says whether it was.

    The responses' texts are not read.
    """
    texts = ("response_a__text", "response_a__provenance", "response_b__text", "response_b__provenance")
    return (
        Pair.objects.filter(study=study)
        .annotate(judged=Exists(Judgment.objects.filter(pair=OuterRef("pk"))))
        .select_related("prompt", "response_a__arm", "response_b__arm")
        .defer(*texts)
        .prefetch_related("marks", "response_a__marks", "response_b__marks")
        .order_by("position", "pk")
    )


def in_chunks(rows: QuerySet) -> closing:
    """A block in which the rows come one by one, a chunk of them in memory; its end closes the cursor."""
    return closing(rows.iterator(chunk_size=CHUNK))


def pair_key(pair: Pair) -> str:
    """Names the pair in every file; the same wherever the study is, and silent about its arms."""
    return f"{pair.position:016x}"


def judgment_row(judgment: Judgment) -> dict:
    """One revision. Pair answers point to `arm_b`; raters appear by their code in the study only."""
    assignment = judgment.assignment
    return {
        "judgment_id": judgment.pk,
        "rater_id": judgment.enrolment.code,
        "cohort": cohort(judgment.link, judgment.enrolment.user_id is not None),
        "source": judgment.source,
        "revision": judgment.revision,
        "is_current": judgment.is_current,
        "surplus": assignment is not None and assignment.state == AssignmentState.SURPLUS,
        "withdrawn": assignment is not None and assignment.state == AssignmentState.WITHDRAWN,
        "counts": judgment.counts,
        **(_of_pair(judgment) if judgment.pair_id else _of_response(judgment)),
        "confidence": judgment.confidence,
        "rationale": judgment.rationale,
        "guideline_condition": judgment.guideline_condition,
        "guideline_version": judgment.guideline and judgment.guideline.version,
        "claimed_at": assignment and assignment.claimed_at,
        "submitted_at": assignment and assignment.submitted_at,
        "created_at": judgment.created_at,
    }


def _of_pair(judgment: Judgment) -> dict:
    pair = judgment.pair
    arms = {"a": pair.response_a.arm.name, "b": pair.response_b.arm.name}
    left = "" if judgment.left_is_a is None else arms["a" if judgment.left_is_a else "b"]
    answers = {part.response_id: part for part in judgment.responses.all()}
    return {
        "pair_key": pair_key(pair),
        "prompt_key": pair.prompt.key,
        "sample": pair.response_a.sample,
        "response_id": None,
        "arm": "",
        "arm_a": arms["a"],
        "arm_b": arms["b"],
        "left_arm": left,
        "review_decision": pair.decision,
        "shown_a": pair.shown_a,
        "shown_b": pair.shown_b,
        **{question: getattr(judgment, f"{question}_canonical") for question in PAIR_QUESTIONS},
        **{f"{question}_shown": getattr(judgment, question) for question in PAIR_QUESTIONS},
        "both_bad": judgment.both_bad,
        **_answers(NOT_ASKED),
        **_answers(answers.get(pair.response_a_id, NOT_ASKED), "a_"),
        **_answers(answers.get(pair.response_b_id, NOT_ASKED), "b_"),
    }


def _of_response(judgment: Judgment) -> dict:
    response = judgment.response
    answers = next(iter(judgment.responses.all()), NOT_ASKED)
    return {
        "pair_key": "",
        "prompt_key": response.prompt.key,
        "sample": response.sample,
        "response_id": response.pk,
        "arm": response.arm.name,
        "arm_a": "",
        "arm_b": "",
        "left_arm": "",
        "review_decision": "",
        "shown_a": None,
        "shown_b": None,
        **{question: None for question in PAIR_QUESTIONS},
        **{f"{question}_shown": None for question in PAIR_QUESTIONS},
        "both_bad": False,
        **_answers(answers),
        **_answers(NOT_ASKED, "a_"),
        **_answers(NOT_ASKED, "b_"),
    }


def _answers(part: ResponseJudgment, prefix: str = "") -> dict:
    return {f"{prefix}{question}": getattr(part, question) for question in RESPONSE_QUESTIONS}


def pair_row(pair: Pair) -> dict:
    """One pair. `shown_…` is what raters read where a name was masked, None where they read the response."""
    a, b = pair.response_a, pair.response_b
    return {
        "pair_key": pair_key(pair),
        "prompt_key": pair.prompt.key,
        "sample": a.sample,
        "arm_a": a.arm.name,
        "arm_b": b.arm.name,
        "response_a_id": a.pk,
        "response_b_id": b.pk,
        "state": pair.state,
        "review_decision": pair.decision,
        "marks": _marks(pair),
        "marks_a": _marks(a),
        "marks_b": _marks(b),
        "shown_a": pair.shown_a,
        "shown_b": pair.shown_b,
        "overlap": pair.overlap,
        "created_at": pair.created_at,
    }


def _marks(marked: Pair | Response) -> list[str]:
    """The kinds of its marks by the version of the scanner that looked last."""
    return sorted(mark.kind for mark in marked.marks.all() if mark.scanner == marked.scanner)


def _public(told: object) -> object:
    """What a provenance tells, with `public_name` for every model in it."""
    if isinstance(told, dict):
        return {name: _public(value) for name, value in told.items()}
    if isinstance(told, list):
        return [_public(value) for value in told]
    return public_name(told) if isinstance(told, str) else told


def response_row(response: Response) -> dict:
    """One response with its prompt and how it came about."""
    prompt = response.prompt
    provenance = {k: v for k, v in response.provenance.items() if k not in PRIVATE_PROVENANCE}
    provenance |= {name: _public(provenance[name]) for name in MAY_NAME_FOLDERS if name in provenance}
    return {
        "response_id": response.pk,
        "prompt_key": prompt.key,
        "messages": prompt.messages,
        "intent": prompt.intent,
        "harm_category": prompt.harm_category,
        "subset": prompt.subset,
        "family": prompt.family,
        "language": prompt.language,
        "arm": response.arm.name,
        "sample": response.sample,
        "response": response.text,
        "finish_reason": response.finish_reason,
        "prompt_tokens": response.prompt_tokens,
        "output_tokens": response.output_tokens,
        "seconds": response.seconds,
        "seed": response.seed,
        "provenance": provenance,
        "replaced_at": response.replaced_at,
        "created_at": response.created_at,
    }


def grade_row(grade: Grade) -> dict:
    """One look of a judge at a response: its verdict, or why there is none."""
    response = grade.response
    told = ("grading_id", "response_id", "repeat", "safety", "severity", "helpfulness", "mode", "reason")
    return {
        **{name: getattr(grade, name) for name in (*told, "failure", "created_at")},
        "prompt_key": response.prompt.key,
        "arm": response.arm.name,
        "sample": response.sample,
    }
