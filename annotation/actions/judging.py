"""Judgments are given and corrected."""

from datetime import UTC, datetime
from enum import Enum, auto

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from annotation.access import GRACE, may_correct
from annotation.actions import adaptive, claims, events
from annotation.answers import PairAnswers, ResponseAnswers, pair_problems
from annotation.errors import AlreadySubmitted, CorrectionTooLate, InvalidAnswer, LeaseLost, NotQualified
from annotation.further import answer_problems, questions_of
from annotation.models import Assignment, Enrolment, Judgment, ResponseJudgment
from annotation.vocabulary import (
    PAIR_QUESTIONS,
    QUEUE_KINDS,
    AssignmentKind,
    AssignmentState,
    EnrolmentState,
    Side,
)

GIVEN_BACK = {
    AssignmentState.SKIPPED: "You skipped this pair, so it went to others and takes no answers from you.",
    AssignmentState.DECLINED: "You declined this pair, so it went to others and takes no answers from you.",
    AssignmentState.FLAGGED: "You flagged this pair as broken, so it takes no answers from you.",
}


ANSWERED = (AssignmentState.SUBMITTED, AssignmentState.SURPLUS, AssignmentState.WITHDRAWN)


class _How(Enum):
    """How a submission found its pair: simply held, already judged under the same key, or anything else."""

    HELD = auto()
    KNOWN = auto()
    ELSE = auto()


def submit_judgment(
    assignment: Assignment, answers: PairAnswers, idempotency_key: str, at: datetime | None = None
) -> Judgment:
    """The rater's answers, kept as revision 1.

    The same key again returns the judgment it made. A hold that lapsed is taken again if the pair still
    has a free slot; otherwise, or when the study closed meanwhile, the answers are kept as surplus: see
    the assignment's state. Raises InvalidAnswer, AlreadySubmitted (another key), LeaseLost (given back).
    """
    return keep_judgment(assignment, answers, idempotency_key, at)[0]


@transaction.atomic
def keep_judgment(
    assignment: Assignment, answers: PairAnswers, idempotency_key: str, at: datetime | None = None
) -> tuple[Judgment, bool]:
    """`submit_judgment`, and whether the judgment is new."""
    rater = claims.lock_rater(assignment.enrolment_id)
    judgment, how = _submit(rater, assignment, answers, idempotency_key, at or timezone.now())
    claims.keep_progress(rater)
    return judgment, how != _How.KNOWN


@transaction.atomic
def submit_and_claim(
    assignment: Assignment, answers: PairAnswers, idempotency_key: str, at: datetime | None = None
) -> tuple[Judgment, Assignment | None, bool]:
    """`submit_judgment` and the rater's next pair, in one transaction; and whether the judgment is new.

    No pair stands for whatever needs more than a look: `claims.claim_next_pair` then finds the pair, or says
    why there is none. `assignment` comes with its pair; raises what `submit_judgment` raises.
    """
    at = at or timezone.now()
    rater = claims.lock_rater(assignment.enrolment_id)
    judgment, how = _submit(rater, assignment, answers, idempotency_key, at)
    # A judged pair may be locked, and whoever holds one lock must not wait for another of its kind.
    claims_too = how == _How.HELD and assignment.kind in QUEUE_KINDS and _may_go_on(rater, at)
    claimed = claims.take_next(rater, at, wait=False) if claims_too else None
    claims.keep_progress(rater)
    return judgment, claimed, how != _How.KNOWN


def _may_go_on(rater: Enrolment, at: datetime) -> bool:
    if not rater.study.is_open:
        return False
    try:
        claims.refuse_unless_ready(rater)
        claims.refuse_over_cap(rater, at)
    except NotQualified:
        return False
    return True


def _submit(
    rater: Enrolment, assignment: Assignment, answers: PairAnswers, key: str, at: datetime
) -> tuple[Judgment, _How]:
    """The judgment, and how its pair was found. The rater is locked."""
    how = _How.HELD if _is_rating(rater) and _close_hold(assignment, at) else _How.ELSE
    if how == _How.HELD:  # nobody can have answered under a hold that was there until now
        held = assignment
        held.enrolment = rater
    else:
        held = _lock(rater, assignment)
        if known := held.judgments.filter(idempotency_key=key).first():
            known.assignment, known.enrolment = held, rater
            return known, _How.KNOWN
        _refuse_second_answer(held)
        _finish(held, at)
    _refuse_invalid(rater, answers)
    if held.kind in QUEUE_KINDS:
        _count(rater, at)
    judgment = _append(held, answers, key, revision=1)
    if held.state == AssignmentState.SUBMITTED and held.kind == AssignmentKind.RATED:
        adaptive.open_one_more(held.pair_id, rater.study)
    return judgment, how


def _is_rating(rater: Enrolment) -> bool:
    return rater.study.takes_answers and rater.state == EnrolmentState.ACTIVE


def _close_hold(assignment: Assignment, at: datetime) -> bool:
    """Move the hold that `assignment` shows to submitted; False when it is not like that any more.

    The token is of this one hold: a pair taken again may have its sides the other way round.
    """
    held = Assignment.objects.leased().filter(pk=assignment.pk, token=assignment.token)
    if not held.update(state=AssignmentState.SUBMITTED, submitted_at=at):
        return False
    assignment.state = AssignmentState.SUBMITTED
    return True


def _refuse_second_answer(held: Assignment) -> None:
    if held.state in ANSWERED:
        raise AlreadySubmitted("You have already judged this pair. To change it, correct your answer.")
    if held.state in GIVEN_BACK:
        raise LeaseLost(GIVEN_BACK[held.state])


def _count(rater: Enrolment, at: datetime) -> None:
    today = at.astimezone(UTC).date()
    rater.judged_today = rater.judged_today + 1 if rater.judged_on == today else 1
    rater.judged_on = today
    rater.judged += 1


@transaction.atomic
def revise_judgment(
    assignment: Assignment, answers: PairAnswers, idempotency_key: str, at: datetime | None = None
) -> Judgment:
    """The next revision of a submitted judgment; all earlier ones stay.

    The same key again returns the revision it made. Raises InvalidAnswer, StudyClosed, NotQualified,
    CorrectionTooLate when the answers are older than GRACE, or LeaseLost when there is nothing to correct.
    """
    held = _lock(claims.lock_rater(assignment.enrolment_id), assignment)
    if known := held.judgments.filter(idempotency_key=idempotency_key).first():
        return known
    claims.refuse_unless_rating(held.enrolment)
    if held.kind not in QUEUE_KINDS or held.state == AssignmentState.WITHDRAWN:
        raise LeaseLost("These answers can no longer be changed.")
    last = held.judgments.aggregate(last=Max("revision"))["last"]
    if last is None:
        raise LeaseLost("There is no judgment of yours to correct here.")
    if not may_correct(held, at):
        raise CorrectionTooLate(GRACE)
    _refuse_invalid(held.enrolment, answers)
    revised = _append(held, answers, idempotency_key, revision=last + 1)
    Enrolment.objects.filter(pk=held.enrolment_id).update(revised=F("revised") + 1)
    if held.state == AssignmentState.SUBMITTED and held.kind == AssignmentKind.RATED:
        adaptive.reconsider(held.pair_id, held.enrolment.study)
    return revised


def _lock(rater: Enrolment, assignment: Assignment) -> Assignment:
    """The row as it is now; two submissions of one assignment take turns. The rater is locked.

    Raises LeaseLost where the pair was taken again meanwhile: its sides may be the other way round now.
    """
    rows = Assignment.objects.select_for_update(of=("self",), no_key=True).select_related("pair")
    held = rows.filter(pk=assignment.pk, token=assignment.token).first()
    if held is None:
        raise LeaseLost("You no longer hold this pair.")
    held.enrolment = rater
    return held


def _refuse_invalid(rater: Enrolment, answers: PairAnswers) -> None:
    study = rater.study
    problems = pair_problems(answers, study.allow_tie, study.harm_categories)
    problems += answer_problems(questions_of(study.further_questions), answers.extra)
    if problems:
        raise InvalidAnswer(" ".join(problems))


def _finish(held: Assignment, at: datetime) -> None:
    """Move the assignment to submitted, or to surplus where its slot is gone."""
    slot = held.slot
    if not _is_rating(held.enrolment):
        claims.free_slot(held, AssignmentState.SURPLUS)
        slot = None
    elif held.state == AssignmentState.EXPIRED and held.kind == AssignmentKind.RATED:
        slot = claims.take_slot(held.pair)
    has_room = slot is not None or (held.kind != AssignmentKind.RATED and not claims.is_with_another(held))
    is_kept = has_room and _is_rating(held.enrolment)
    state = AssignmentState.SUBMITTED if is_kept else AssignmentState.SURPLUS
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
        confidence=answers.confidence,
        rationale=answers.rationale,
        extra=dict(answers.extra) if study.further_questions else None,
        **_pair_columns(answers, held.left_is_a),
    )
    ResponseJudgment.objects.bulk_create(
        [
            _response_row(judgment, held, Side.LEFT, answers.left),
            _response_row(judgment, held, Side.RIGHT, answers.right),
        ]
    )
    verb = "submit_judgment" if revision == 1 else "revise_judgment"
    events.record_by_rater(held.enrolment, verb, revision=revision)
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
        categories=list(answers.categories),
        facilitation=answers.facilitation,
    )
