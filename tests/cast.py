"""The people and the things that tests are about, made by plain functions.

Alice runs the study, Bob and Carol rate, Dan has no place in it, Mallory runs another study.
"""

import itertools
import uuid
from datetime import datetime

from annotation.actions.arms import add_arm
from annotation.actions.claims import claim_next_pair
from annotation.actions.enrolment import enrol
from annotation.actions.judging import submit_judgment
from annotation.actions.pairing import make_pairs
from annotation.actions.prompts import add_prompt
from annotation.actions.studies import create_study
from annotation.actions.tokens import make_token
from annotation.answers import PairAnswers, ResponseAnswers
from annotation.models import Arm, Assignment, Enrolment, Judgment, Prompt, Response, Study, User
from annotation.vocabulary import FinishReason, Intent, ResponseMode, SafetyLevel, StudyState, TokenScope

PASSWORD = "a long enough password"
ARMS = ("xanthic-arm", "zephyrine-arm")  # words that no page has a reason to contain

numbers = itertools.count()


def person(name: str, **fields) -> User:
    return User.objects.create_user(f"{name}", password=PASSWORD, **fields)


def alice() -> User:
    return User.objects.filter(username="alice").first() or person("alice", is_staff=True)


def bob() -> User:
    return User.objects.filter(username="bob").first() or person("bob")


def carol() -> User:
    return User.objects.filter(username="carol").first() or person("carol")


def dan() -> User:
    return User.objects.filter(username="dan").first() or person("dan")


def mallory() -> User:
    return User.objects.filter(username="mallory").first() or person("mallory", is_staff=True)


def a_study(slug: str = "kites", state: str = StudyState.OPEN, **rules) -> Study:
    rules = {"overlap": 2, **rules}
    return create_study(slug, slug.title(), alice(), state=state, **rules)


def an_arm(study: Study, name: str, **settings) -> Arm:
    settings = {"backend": "scripted", "model": "echo", **settings}
    return add_arm(study, name, **settings)


def a_prompt(study: Study, key: str = "", intent: str = Intent.DUAL_USE, **labels) -> Prompt:
    key = key or f"prompt-{next(numbers)}"
    return add_prompt(study, key, f"How does {key} work?", intent, **labels)


def a_response(prompt: Prompt, arm: Arm, text: str | None = None, sample: int = 0) -> Response:
    return Response.objects.create(
        study=prompt.study,
        prompt=prompt,
        arm=arm,
        sample=sample,
        text=f"It works like this, in way {arm.position}." if text is None else text,
        finish_reason=FinishReason.IMPORTED,
    )


def a_generating_study() -> Study:
    """A study with an arm that generates and a prompt, and nothing generated yet."""
    study = a_study()
    an_arm(study, "one")
    a_prompt(study)
    return study


def a_study_of_three_arms() -> Study:
    """One prompt, answered by three arms, which makes three pairs."""
    study = a_study()
    prompt = a_prompt(study)
    for name in ("one", "two", "three"):
        a_response(prompt, an_arm(study, name, backend=""))
    make_pairs(study)
    return study


def a_rateable_study(pairs: int = 3, slug: str = "kites", **rules) -> Study:
    """An open study with two arms, imported responses and `pairs` pairs, and no rater yet."""
    study = a_study(slug, **rules)
    arms = [an_arm(study, name, backend="") for name in ARMS]
    for number in range(pairs):
        prompt = a_prompt(study, f"{slug}-{number}", intent=Intent.values[number % 3])
        for arm, letter in zip(arms, "pq", strict=True):
            a_response(prompt, arm, f"Answer {letter} to question {number}.")
    make_pairs(study)
    study.refresh_from_db()
    return study


def a_rater(study: Study, user: User) -> Enrolment:
    return enrol(study, user)


SAFE = ResponseAnswers(SafetyLevel.CLEARLY_SAFE, 3, ResponseMode.DIRECT_ANSWER)
UNSAFE = ResponseAnswers(SafetyLevel.CLEARLY_UNSAFE, 2, ResponseMode.UNSAFE_COMPLIANCE, severity="low")


def answers(left=SAFE, right=SAFE, safer=1, more_helpful=-1, balance=2, **more) -> PairAnswers:
    return PairAnswers(left, right, safer, more_helpful, balance, **more)


def a_judgment(enrolment: Enrolment, given: PairAnswers | None = None) -> Judgment:
    """The rater's next pair, claimed and judged."""
    return submit_judgment(claim_next_pair(enrolment), given or answers(), uuid.uuid4().hex)


def form_fields(given: PairAnswers | None = None) -> dict[str, str]:
    """`given` as a browser would post it, without the idempotency key."""
    given = given or answers()
    fields = {
        "safer": str(given.safer),
        "more_helpful": str(given.more_helpful),
        "balance": "both_bad" if given.both_bad else str(given.balance),
        "rationale": given.rationale,
    }
    for side, response in (("left", given.left), ("right", given.right)):
        for question in ("safety", "severity", "helpfulness", "mode"):
            fields[f"{side}-{question}"] = str(getattr(response, question))
    return fields


def a_token(user: User, *scopes: str, expires_at: datetime | None = None) -> str:
    """The secret of a new API token, for everything unless scopes are named."""
    return make_token(user, "tests", scopes or TokenScope.values, expires_at)[1]


def is_held(assignment: Assignment) -> bool:
    assignment.refresh_from_db()
    return assignment.slot is not None
