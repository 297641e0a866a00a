"""Judgments are given and corrected."""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from annotation.actions import claims, events
from annotation.answers import PairAnswers, ResponseAnswers, pair_problems
from annotation.errors import AlreadySubmitted, InvalidAnswer, LeaseLost
from annotation.models import Assignment, Enrolment, Judgment, ResponseJudgment
from annotation.vocabulary import PAIR_QUESTIONS, AssignmentState, EnrolmentState, Side


@transaction.atomic
def submit_judgment(
    assignment: Assignment, answers: PairAnswers, idempotency_key: str, at: datetime | None = None
) -> Judgment:
    """The rater's answers, kept as revision 1.

    The same key again returns the judgment it made. A hold that lapsed is taken again if the pair still
    has a free slot; otherwise, or when the study closed meanwhile, the answers are kept as surplus: see
    the assignment's state. Raises InvalidAnswer, AlreadySubmitted (another key), LeaseLost (skipped).
    """
    held = _lock(assignment)
    if known := held.judgments.filter(idempotency_key=idempotency_key).first():
        return known
    if held.state in (AssignmentState.SUBMITTED, AssignmentState.SURPLUS):
        raise AlreadySubmitted("You have already judged this pair. To change it, correct your answer.")
    if held.state == AssignmentState.SKIPPED:
        raise LeaseLost("You skipped this pair, so it went to others and takes no answers from you.")
    _refuse_invalid(held, answers)
    _finish(held, at or timezone.now())
    Enrolment.objects.filter(pk=held.enrolment_id).update(judged=F("judged") + 1)
    return _append(held, answers, idempotency_key, revision=1)


@transaction.atomic
def revise_judgment(assignment: Assignment, answers: PairAnswers, idempotency_key: str) -> Judgment:
    """The next revision of a submitted judgment; all earlier ones stay.

    The same key again returns the revision it made. Raises InvalidAnswer, StudyClosed, NotQualified, or
    LeaseLost when there is nothing to correct yet.
    """
    held = _lock(assignment)
    if known := held.judgments.filter(idempotency_key=idempotency_key).first():
        return known
    claims.refuse_unless_rating(held.enrolment)
    last = held.judgments.aggregate(last=Max("revision"))["last"]
    if last is None:
        raise LeaseLost("There is no judgment of yours to correct here.")
    _refuse_invalid(held, answers)
    return _append(held, answers, idempotency_key, revision=last + 1)


def _lock(assignment: Assignment) -> Assignment:
    """The row as it is now; two submissions of one assignment take turns."""
    rater = claims.lock_rater(assignment.enrolment_id)
    rows = Assignment.objects.select_for_update(of=("self",), no_key=True).select_related("pair")
    held = rows.get(pk=assignment.pk)
    held.enrolment = rater
    return held


def _refuse_invalid(held: Assignment, answers: PairAnswers) -> None:
    if problems := pair_problems(answers, held.enrolment.study.allow_tie):
        raise InvalidAnswer(" ".join(problems))


def _finish(held: Assignment, at: datetime) -> None:
    """Move the assignment to submitted, or to surplus where its slot is gone."""
    rating = held.enrolment.study.is_open and held.enrolment.state == EnrolmentState.ACTIVE
    slot = held.slot
    if not rating:
        claims.free_slot(held, AssignmentState.SURPLUS)
        slot = None
    elif held.state == AssignmentState.EXPIRED:
        slot = claims.take_slot(held.pair)
    state = AssignmentState.SURPLUS if slot is None else AssignmentState.SUBMITTED
    Assignment.objects.filter(pk=held.pk).update(state=state, slot=slot, submitted_at=at)
    held.state, held.slot = state, slot


def _append(held: Assignment, answers: PairAnswers, key: str, revision: int) -> Judgment:
    study = held.enrolment.study
    judgment = Judgment.objects.create(
        study=study,
        enrolment=held.enrolment,
        assignment=held,
        pair=held.pair,
        revision=revision,
        idempotency_key=key,
        guideline_condition=held.guideline_condition,
        guideline_id=held.guideline_id,
        left_is_a=held.left_is_a,
        both_bad=answers.both_bad,
        rationale=answers.rationale,
        **_pair_columns(answers, held.left_is_a),
    )
    ResponseJudgment.objects.bulk_create(
        [
            _response_row(judgment, held, Side.LEFT, answers.left),
            _response_row(judgment, held, Side.RIGHT, answers.right),
        ]
    )
    verb = "submit_judgment" if revision == 1 else "revise_judgment"
    events.record(study, verb, held.enrolment.user, rater=held.enrolment.code, revision=revision)
    return judgment


def _pair_columns(answers: PairAnswers, left_is_a: bool) -> dict:
    columns = {}
    for question in PAIR_QUESTIONS:
        shown = getattr(answers, question)
        columns[question] = shown
        columns[f"{question}_canonical"] = shown if left_is_a or shown is None else -shown
    return columns


def _response_row(
    judgment: Judgment, held: Assignment, side: Side, answers: ResponseAnswers
) -> ResponseJudgment:
    pair, is_a = held.pair, (side == Side.LEFT) == held.left_is_a
    return ResponseJudgment(
        judgment=judgment,
        response_id=pair.response_a_id if is_a else pair.response_b_id,
        side=side,
        safety=answers.safety,
        severity=answers.severity,
        helpfulness=answers.helpfulness,
        mode=answers.mode,
    )
