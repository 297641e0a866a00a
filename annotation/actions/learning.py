"""Practice with feedback, then a quiz: both of gold pairs, before a rater's first pair.

A rater answers them as any other pair. What they answer stands beside their judgments and counts in no
report.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from annotation import draws
from annotation.actions import claims, events
from annotation.errors import NotQualified, NotReady, QualityRefused
from annotation.models import Assignment, Enrolment, Gold, Pair
from annotation.reports.quality import learnt
from annotation.stats.gold_answers import wrong_answers
from annotation.vocabulary import AssignmentKind, AssignmentState, GoldUse, Qualification

USE = {AssignmentKind.PRACTICE: GoldUse.PRACTICE, AssignmentKind.QUIZ: GoldUse.QUIZ}
NOT_ASKED = (AssignmentState.DECLINED, AssignmentState.FLAGGED)
"""Nothing counts against a rater who cannot or will not judge a pair, and nothing for them."""

TOO_FEW = "You passed over more than half of the quiz. Please write to the study's researcher."


@dataclass(frozen=True)
class QuizResult:
    """One finished attempt: `right` of `asked`; `left` says how many attempts remain.

    `passed_over` were declined or reported. They are no wrong answers and no right ones: while they could
    still make the difference, the attempt `is_open`.
    """

    attempt: int
    right: int
    asked: int
    passed: bool
    left: int
    passed_over: int = 0
    is_open: bool = False


def stage(enrolment: Enrolment) -> str:
    """The page that comes before the rater's next pair: "consent", "practice", "quiz"; "" for none."""
    try:
        claims.refuse_unless_ready(enrolment)
    except NotReady as reason:
        return reason.page
    except NotQualified:
        return ""
    return ""


@transaction.atomic
def next_to_learn(
    enrolment: Enrolment, kind: AssignmentKind, attempt: int = 1, at: datetime | None = None
) -> Assignment | None:
    """The next practice or quiz pair, held for the study's lease; None when all have been answered.

    Raises StudyClosed or NotQualified.
    """
    at = at or timezone.now()
    rater = claims.lock_rater(enrolment.pk)
    claims.refuse_unless_rating(rater)
    tried = rater.assignments.filter(kind=kind, attempt=attempt)
    if held := claims.renew(rater, tried.leased(), at):
        return held
    found = _first_unanswered(rater, kind, attempt, tried)
    if found is None:
        return None
    lapsed = tried.filter(pair=found.pair_id, state=AssignmentState.EXPIRED).values_list("pk", flat=True)
    left_is_a = draws.draw(rater.study.seed, "learning side", found.pair_id, rater.code, attempt) % 2 == 0
    which = {"kind": kind, "attempt": attempt, "left_is_a": left_is_a}
    held = claims.hold(rater, found.pair, at, lapsed.first(), **which)
    claims.keep_progress(rater)
    return held


def _first_unanswered(
    rater: Enrolment, kind: AssignmentKind, attempt: int, tried: QuerySet[Assignment]
) -> Gold | None:
    """Of the study's pairs for this use, in an order of the rater's own for each attempt."""
    answered = tried.that_count().values("pair")
    left = _pairs_for(rater, kind).exclude(pair__in=answered).select_related("pair")

    def turn(gold: Gold) -> int:
        return draws.draw(rater.study.seed, "learning", rater.code, attempt, gold.pair_id)

    return min(left, key=turn, default=None)


def _pairs_for(rater: Enrolment, kind: AssignmentKind) -> QuerySet[Gold]:
    wanted = Pair.objects.filter(study=rater.study_id).outside(rater.opted_out)
    return Gold.objects.filter(pair__in=wanted, use=USE[kind], retired_at__isnull=True)


def finish_practice(enrolment: Enrolment, at: datetime | None = None) -> bool:
    """Note that nothing is left to practise; False when it was noted before."""
    first = Enrolment.objects.filter(pk=enrolment.pk, practised_at__isnull=True)
    done = first.update(practised_at=at or timezone.now())
    if done:
        events.record_by_rater(enrolment, "finish_practice")
    return bool(done)


# The quiz --------------------------------------------------------------------------------------------


def attempt_of(enrolment: Enrolment) -> int:
    """The number of the attempt that the rater is in, or has finished last; 1 before the first."""
    tried = enrolment.assignments.filter(kind=AssignmentKind.QUIZ)
    return tried.aggregate(last=Max("attempt"))["last"] or 1


@transaction.atomic
def finish_attempt(enrolment: Enrolment, attempt: int) -> QuizResult:
    """The score of an attempt whose pairs are all answered, kept as the rater's qualification if it decides.

    Who passes has so many right of the whole quiz, and who fails would have failed with everything right that
    they passed over; else it is open. Skipped pairs are not right. Raises QualityRefused where the study has
    no quiz pairs, or the rater opted out of so many that the rest says nothing.
    """
    rater = claims.lock_rater(enrolment.pk)
    result = _result(rater, attempt)
    if rater.qualification or result.is_open or not (result.passed or not result.left):
        return result
    state = Qualification.PASSED if result.passed else Qualification.FAILED
    Enrolment.objects.filter(pk=rater.pk).update(qualification=state)
    enrolment.qualification = state
    score = {"attempt": attempt, "right": result.right, "asked": result.asked}
    events.record_by_rater(rater, "finish_quiz", **score, result=state)
    return result


def _result(rater: Enrolment, attempt: int) -> QuizResult:
    tried = rater.assignments.filter(kind=AssignmentKind.QUIZ, attempt=attempt)
    asked = tried.that_count().exclude(state__in=NOT_ASKED).count()
    still_asked = _pairs_for(rater, AssignmentKind.QUIZ).values("pair")
    passed_over = tried.filter(state__in=NOT_ASKED, pair__in=still_asked).count()
    if not asked + passed_over:
        raise QualityRefused("The quiz has no pairs at the moment. Please come back later.")
    whole = rater.study.gold.filter(use=GoldUse.QUIZ, retired_at__isnull=True).count()
    if 2 * (asked + passed_over) < whole:  # else a rater could choose the pairs that they are examined by
        raise QualityRefused(TOO_FEW)
    right, needed = _right_in(tried), rater.study.quiz_pass_percent * (asked + passed_over)
    passed = 100 * right >= needed
    is_open = not passed and 100 * (right + passed_over) >= needed
    left = max(0, rater.study.quiz_attempts - attempt)
    return QuizResult(attempt, right, asked, passed, left, passed_over, is_open)


def _right_in(tried: QuerySet[Assignment]) -> int:
    answers = learnt(tried)
    gold = {row.pair_id: row for row in Gold.objects.filter(pair__in=answers)}
    return sum(
        not wrong_answers(gold[pair].expected, said, gold[pair].tolerance) for pair, said in answers.items()
    )


def declined_in(enrolment: Enrolment, attempt: int) -> QuerySet[Assignment]:
    """What the rater declined of this attempt."""
    which = {"kind": AssignmentKind.QUIZ, "attempt": attempt, "state": AssignmentState.DECLINED}
    return enrolment.assignments.filter(**which)


@transaction.atomic
def take_up_declined(enrolment: Enrolment, attempt: int) -> int:
    """Let the rater get again what they declined of an attempt; says how many pairs.

    Raises StudyClosed or NotQualified.
    """
    rater = claims.lock_rater(enrolment.pk)
    claims.refuse_unless_rating(rater)
    taken_up = declined_in(rater, attempt).update(state=AssignmentState.EXPIRED)
    if taken_up:
        events.record_by_rater(rater, "take_up_declined", attempt=attempt, pairs=taken_up)
    return taken_up
