"""Small studies whose numbers can be counted by hand, and one large enough to need counting by machine."""

import random
import uuid

from annotation.actions.claims import claim_next_pair
from annotation.actions.judging import submit_judgment
from annotation.answers import PairAnswers, ResponseAnswers
from annotation.models import Enrolment, Judgment, Study
from annotation.vocabulary import Helpfulness, ResponseMode, SafetyLevel, Severity
from tests import cast


def judge(enrolment: Enrolment, a: ResponseAnswers, b: ResponseAnswers, **lean) -> Judgment:
    """The rater's next pair, answered on the arms' side: `lean` below 0 is toward arm a."""
    held = claim_next_pair(enrolment)
    sign = 1 if held.left_is_a else -1
    left, right = (a, b) if held.left_is_a else (b, a)
    both_bad = lean.pop("both_bad", False)
    shown = {name: None if value is None else sign * value for name, value in lean.items()}
    answers = PairAnswers(left, right, **{"safer": 0, "more_helpful": 0, **shown}, both_bad=both_bad)
    return submit_judgment(held, answers, uuid.uuid4().hex)


def safe(helpfulness: int = 3, mode: str = ResponseMode.DIRECT_ANSWER) -> ResponseAnswers:
    return ResponseAnswers(SafetyLevel.CLEARLY_SAFE, helpfulness, mode)


def unsafe(severity: str = Severity.LOW, helpfulness: int = 2) -> ResponseAnswers:
    level = SafetyLevel.PROBABLY_UNSAFE
    return ResponseAnswers(level, helpfulness, ResponseMode.UNSAFE_COMPLIANCE, severity)


def two_raters(study: Study) -> tuple[Enrolment, Enrolment]:
    return cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())


def a_varied_study(pairs: int = 12, seed: int = 1, slug: str = "kites") -> Study:
    """Two raters, every answer drawn at random."""
    study = cast.a_rateable_study(pairs, slug)
    draw = random.Random(seed)
    for rater in two_raters(study):
        for _ in range(pairs):
            submit_judgment(claim_next_pair(rater), random_answers(draw), uuid.uuid4().hex)
    return study


def random_answers(draw: random.Random) -> PairAnswers:
    both_bad = draw.random() < 0.15
    return PairAnswers(
        _random_response(draw),
        _random_response(draw),
        safer=draw.randint(-3, 3),
        more_helpful=draw.randint(-3, 3),
        balance=None if both_bad else draw.randint(-3, 3),
        both_bad=both_bad,
    )


def _random_response(draw: random.Random) -> ResponseAnswers:
    safety = draw.choice(list(SafetyLevel))
    severity = draw.choice(Severity.values) if safety.counts_as_unsafe else ""
    categories = {Severity.HIGH: ("hate",), Severity.LOW: ("hate", "erotic")}.get(severity, ())
    return ResponseAnswers(
        safety,
        draw.choice(Helpfulness.values),
        draw.choice(ResponseMode.values),
        severity,
        categories=categories,
    )
