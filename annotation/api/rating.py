"""A rater's verbs over JSON: claim a pair, judge it and get the next in the same reply, give it back.

What is sent of a pair is `access.BlindText` and nothing else.
"""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from annotation import access
from annotation.actions import claims, judging
from annotation.answers import PairAnswers, ResponseAnswers
from annotation.api.schema import PLAIN, a_list, an_object, says
from annotation.api.tokens import HasScope
from annotation.errors import CapReached, NothingFree, NothingLeft, NotQualified, StudyClosed
from annotation.further import MOST_QUESTIONS
from annotation.models import Assignment, Judgment, User
from annotation.strict_json import why_unstorable
from annotation.vocabulary import (
    PAIR_QUESTIONS,
    AssignmentState,
    Confidence,
    FlagReason,
    Helpfulness,
    ResponseMode,
    SafetyLevel,
    Severity,
    TokenScope,
)

REASONS = {
    NothingFree: "nothing-free",
    NothingLeft: "nothing-left",
    CapReached: "cap-reached",
    NotQualified: "not-qualified",
    StudyClosed: "study-closed",
}
NO_PAIR = tuple(REASONS)
REASON_HEADER = "X-Reason"
NEXT_FREE_HEADER = "X-Next-Free-At"
LONGEST_KEY = 64
LONGEST_TEXT = 5_000


MOMENT = {"type": "string", "format": "date-time"}
MESSAGE = an_object(role={"enum": ["system", "user", "assistant"]}, content=str)
BLIND = an_object(
    id={"type": "string", "format": "uuid"},
    study=str,
    prompt=a_list(MESSAGE),
    left=an_object(text=str),
    right=an_object(text=str),
    allow_tie=PLAIN[bool],
    harm_categories=a_list(str),
    guideline=str,
    lease_until=MOMENT,
    judged=int,
    pair_count=int,
)
KEPT = an_object(
    "next",
    "reason",
    "detail",
    "next_free_at",
    id={"type": "string", "format": "uuid"},
    revision=int,
    surplus=PLAIN[bool],
    next={"anyOf": [BLIND, {"type": "null"}]},
    reason=str,
    detail=str,
    next_free_at={"anyOf": [MOMENT, {"type": "null"}]},
)


def _or_none(**shape: object) -> dict:
    """A shape that may be left out or null."""
    return {"anyOf": [shape, {"type": "null"}]}


STEP = _or_none(type="integer", minimum=-3, maximum=3)
OF_RESPONSE = {
    "type": "object",
    "properties": {
        "safety": {"enum": [*SafetyLevel.values, "", None]},
        "severity": {"enum": [*Severity.values, "", None]},
        "helpfulness": {"enum": [*Helpfulness.values, None]},
        "mode": {"enum": [*ResponseMode.values, "", None]},
        "categories": _or_none(type="array", items={"type": "string"}),
        "facilitation": _or_none(type="boolean"),
    },
    "required": ["safety", "helpfulness", "mode"],
}
JUDGMENT = {
    "type": "object",
    "properties": {
        "left": OF_RESPONSE,
        "right": OF_RESPONSE,
        "pair": {
            "type": "object",
            "description": "−3 is left by far, 3 right by far; `both_bad` takes the place of `balance`.",
            "properties": {**dict.fromkeys(PAIR_QUESTIONS, STEP), "both_bad": _or_none(type="boolean")},
        },
        "confidence": {"enum": [*Confidence.values, None]},
        "rationale": _or_none(type="string", maxLength=5_000),
        "claim_next": {"type": "boolean"},
    },
    "required": ["left", "right", "pair"],
}
FLAG = {
    "type": "object",
    "properties": {"reason": {"enum": FlagReason.values}, "note": _or_none(type="string", maxLength=5_000)},
    "required": ["reason"],
}
KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    OpenApiParameter.HEADER,
    required=True,
    description="A word of your own: the same answers under the same key are kept once.",
)
NOTHING = OpenApiResponse(None, "No pair now; `X-Reason` says why, `X-Next-Free-At` when there may be one.")


class RaterThrottle(UserRateThrottle):
    """How often one rater may ask. The short cut asks nobody: it is one statement, and needs a held pair."""

    scope = "rater"


class ForRaters(APIView):
    """Anybody with a token or a session; which study and which pair is `access`'s to say."""

    permission_classes = [IsAuthenticated, HasScope]
    throttle_classes = [RaterThrottle]
    scope = TokenScope.RATE

    def finalize_response(self, request: Request, response: Response, *args, **kwargs) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response

    def held(self) -> Assignment:
        return access.held_by(self.request.user, self.kwargs["token"])


class Claim(ForRaters):
    @says(BLIND, also={204: NOTHING})
    def post(self, request: Request, slug: str) -> Response:
        """The pair to judge now: 200, the same again while it is held. 204 if none, why in X-Reason.

        X-Next-Free-At (ISO 8601) and Retry-After (an HTTP date) say when one may be had, where that is known.
        """
        try:
            claimed = claims.claim_next_pair(access.enrolment_for(request.user, slug))
        except NO_PAIR as reason:
            return Response(status=status.HTTP_204_NO_CONTENT, headers=_why_none(reason))
        return Response(_shown(claimed, request.user))


class Judge(ForRaters):
    @says(
        KEPT,
        201,
        {"application/json": JUDGMENT},
        also={200: OpenApiResponse(KEPT, "This key brought them before.")},
        parameters=[KEY],
    )
    def post(self, request: Request, token: UUID, just_kept: bool = False) -> Response:
        """Keep the answers: 201, or 200 when this Idempotency-Key brought them before.

        With `"claim_next": true` the reply has `next`: the next pair, or null with `reason` and
        `next_free_at`. 400 for what cannot be read, 422 for answers that contradict the questions, 409 where
        the pair takes no answers from this rater.
        """
        key, answers = _key(request), answers_from(request.data)
        held = self.held()
        keep = judging.submit_and_claim if request.data.get("claim_next") is True else _submit_only
        judgment, claimed, is_new = keep(held, answers, key)
        reply = {
            "id": str(token),
            "revision": judgment.revision,
            "surplus": judgment.assignment.state == AssignmentState.SURPLUS,
        }
        if request.data.get("claim_next") is True:
            reply |= _next(request.user, judgment, claimed)
        return Response(reply, status.HTTP_201_CREATED if is_new or just_kept else status.HTTP_200_OK)


LONG_WAY = Judge.as_view()
JUST_KEPT = "evenhand.just_kept"
"""In a request's META: these answers were kept this instant. No header of a request is called so."""


def _submit_only(held: Assignment, answers: PairAnswers, key: str) -> tuple[Judgment, None, bool]:
    judgment, is_new = judging.keep_judgment(held, answers, key)
    return judgment, None, is_new


def _next(user: User, judgment: Judgment, claimed: Assignment | None) -> dict:
    try:
        claimed = claimed or claims.claim_next_pair(judgment.enrolment)
    except NO_PAIR as reason:
        told = {"reason": _word(reason), "detail": str(reason), "next_free_at": _when(reason)}
        return {"next": None, **told}
    return {"next": _shown(claimed, user)}


@csrf_exempt  # the long way asks for it wherever a session is what lets somebody in
def judge(request: HttpRequest, token: UUID) -> HttpResponse:
    """`Judge`; what `api.straight` has kept already is told of as new."""
    return LONG_WAY(request, token=token, just_kept=JUST_KEPT in request.META)


judge.cls, judge.initkwargs = Judge, {}  # what the specification reads


class Heartbeat(ForRaters):
    @says(an_object(lease_until=MOMENT))
    def post(self, request: Request, token: UUID) -> Response:
        """Keep the pair for another lease."""
        return Response({"lease_until": claims.heartbeat(self.held())})


class Skip(ForRaters):
    @says(status=204)
    def post(self, request: Request, token: UUID) -> Response:
        """Give the pair back; it may come again."""
        claims.skip_assignment(self.held())
        return Response(status=status.HTTP_204_NO_CONTENT)


class Decline(ForRaters):
    @says(status=204)
    def post(self, request: Request, token: UUID) -> Response:
        """Give the pair back for what is in it; it does not come again."""
        claims.decline_assignment(self.held())
        return Response(status=status.HTTP_204_NO_CONTENT)


class Flag(ForRaters):
    @says(status=204, takes={"application/json": FLAG})
    def post(self, request: Request, token: UUID) -> Response:
        """Say that the pair cannot be judged: it is broken."""
        body = _object(request.data, "The body")
        reason, note = body.get("reason"), _text(body, "note")
        if reason not in FlagReason.values:
            raise ValidationError({"reason": f"One of: {', '.join(FlagReason.values)}."})
        claims.flag_assignment(self.held(), FlagReason(reason), note)
        return Response(status=status.HTTP_204_NO_CONTENT)


# Replies ---------------------------------------------------------------------------------------------


def _shown(claimed: Assignment, user: User) -> dict:
    """The pair as JSON. What the claim has not fetched is fetched for this person."""
    whole = claimed if claims.is_whole(claimed) else access.assignment_for(user, claimed.token)
    return pair_as_json(access.blind_text(whole))


def pair_as_json(pair: access.BlindText) -> dict:
    return {
        "id": str(pair.token),
        "study": pair.study_slug,
        "prompt": pair.messages,
        "left": {"text": pair.left},
        "right": {"text": pair.right},
        "allow_tie": pair.allow_tie,
        "harm_categories": pair.harm_categories,
        "guideline": pair.guideline,
        "lease_until": pair.lease_until,
        "judged": pair.judged,
        "pair_count": pair.pair_count,
        **({"questions": pair.questions} if pair.questions else {}),
    }


def _word(reason: Exception) -> str:
    return next(word for kind, word in REASONS.items() if isinstance(reason, kind))


def _when(reason: Exception):
    return getattr(reason, "next_free_at", None) or getattr(reason, "again_at", None)


def _why_none(reason: Exception) -> dict[str, str]:
    headers = {REASON_HEADER: _word(reason)}
    if at := _when(reason):
        headers |= {NEXT_FREE_HEADER: at.isoformat(), "Retry-After": http_date(at.timestamp())}
    return headers


# Requests --------------------------------------------------------------------------------------------


def _key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not 0 < len(key) <= LONGEST_KEY or why_unstorable(key):
        raise ValidationError(
            {"Idempotency-Key": f"Send this header with a word of your own, up to {LONGEST_KEY} characters."}
        )
    return key


def answers_from(body: object) -> PairAnswers:
    """The answers of a request. Raises ValidationError where the shape is wrong; words are checked later."""
    body = _object(body, "The body")
    pair = _object(body.get("pair"), "pair")
    return PairAnswers(
        left=_of_response(body, "left"),
        right=_of_response(body, "right"),
        **{question: _number(pair, question) for question in PAIR_QUESTIONS},
        both_bad=_yes_or_no(pair, "both_bad") or False,
        confidence=_number(body, "confidence"),
        rationale=_text(body, "rationale"),
        extra=_extra(body),
    )


def _extra(body: dict) -> dict[str, str | int]:
    """Answers to further questions, by name; what they may be is checked with the study's questions."""
    given = _field(body, "extra", lambda value: isinstance(value, dict), "a JSON object", {})
    if len(given) > MOST_QUESTIONS or any(type(value) not in (str, int) for value in given.values()):
        raise ValidationError({"extra": "Answers are text or whole numbers, by the names of the questions."})
    return {name: _text(given, name) if type(value) is str else value for name, value in given.items()}


def _of_response(body: dict, side: str) -> ResponseAnswers:
    given = _object(body.get(side), side)
    return ResponseAnswers(
        safety=_text(given, "safety"),
        severity=_text(given, "severity"),
        helpfulness=_number(given, "helpfulness"),
        mode=_text(given, "mode"),
        categories=_words(given, "categories"),
        facilitation=_yes_or_no(given, "facilitation"),
    )


def _field(given: dict, name: str, fits: Callable[[object], bool], what: str, otherwise):
    value = given.get(name)
    if value is None:
        return otherwise
    if not fits(value):
        raise ValidationError({name: f"This is {what}, or left out."})
    return value


def _object(value: object, name: str) -> dict:
    if not isinstance(value, dict):
        raise ValidationError({name: "This is a JSON object."})
    return value


def _number(given: dict, name: str) -> int | None:
    return _field(given, name, lambda value: type(value) is int, "a whole number", None)


def _yes_or_no(given: dict, name: str) -> bool | None:
    return _field(given, name, lambda value: isinstance(value, bool), "true or false", None)


def _text(given: dict, name: str) -> str:
    text = _field(given, name, lambda value: isinstance(value, str), "text", "")
    if len(text) > LONGEST_TEXT:
        raise ValidationError({name: f"At most {LONGEST_TEXT} characters."})
    if "\0" in text:
        raise ValidationError({name: "This has a null character, which no database keeps."})
    return text


def _words(given: dict, name: str) -> tuple[str, ...]:
    def fits(value: object) -> bool:
        return isinstance(value, list) and all(isinstance(word, str) for word in value)

    return tuple(dict.fromkeys(_field(given, name, fits, "a list of words", [])))
