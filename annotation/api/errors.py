"""Whatever goes wrong is told in one shape: problem details (RFC 9457)."""

import re

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.db import DataError, IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import page_not_found
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from annotation.errors import (
    BadFilter,
    BadPlan,
    BadRecipe,
    BadSetting,
    DomainError,
    InvalidAnswer,
    NoRoom,
    NotAllowed,
    NotFound,
    StudyMoved,
)
from annotation.problems import MEDIA_TYPE, problem_details

TOO_LARGE = "The body is too large. Nothing that this interface takes is."
TOO_MANY = "The address or the form has more fields than are read at once. Send less at once."
UNFIT = (InvalidAnswer, BadPlan, BadFilter, BadRecipe, BadSetting)


def problem(number: int, detail: str, code: str = "", errors: object = None) -> Response:
    """`detail` is a sentence for a person, `code` a word for a program, `errors` sentences by field."""
    return Response(problem_details(number, detail, code, errors), number, content_type=MEDIA_TYPE)


def handle(error: Exception, context: dict) -> Response | None:
    """404 for what is not there or not theirs, 403 for what their role does not let them do, 412 for what has
    moved, 422 for answers, plans, filters, recipes and settings that do not fit, 507 for a full disk, 409 for
    other refusals.

    Everything else is REST framework's own, in the same shape.
    """
    if isinstance(error, DomainError):
        return problem(_number(error), str(error), _code(error))
    if isinstance(error, RequestDataTooBig):
        return problem(status.HTTP_413_REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
    if isinstance(error, TooManyFieldsSent):
        return problem(status.HTTP_400_BAD_REQUEST, TOO_MANY)
    if isinstance(error, SuspiciousOperation):
        return problem(status.HTTP_400_BAD_REQUEST, str(error))
    if isinstance(error, IntegrityError):  # the database's constraints are named as sentences
        return problem(status.HTTP_409_CONFLICT, _refusal(error), "refused-by-the-database")
    if isinstance(error, DataError | OverflowError):
        return problem(status.HTTP_400_BAD_REQUEST, "A number or a text is larger than can be kept.")
    return _in_shape(exception_handler(error, context))


def _refusal(error: IntegrityError) -> str:
    """What the database refuses, without the row that it quotes."""
    first = str(error).strip().partition("\n")[0]
    return f"Nothing was kept, because the database refuses it: {first.replace('_', ' ')}."


def _number(error: DomainError) -> int:
    if isinstance(error, NotFound):
        return status.HTTP_404_NOT_FOUND
    if isinstance(error, NotAllowed):
        return status.HTTP_403_FORBIDDEN
    if isinstance(error, StudyMoved):
        return status.HTTP_412_PRECONDITION_FAILED
    if isinstance(error, NoRoom):
        return status.HTTP_507_INSUFFICIENT_STORAGE
    return status.HTTP_422_UNPROCESSABLE_ENTITY if isinstance(error, UNFIT) else status.HTTP_409_CONFLICT


def _code(error: DomainError) -> str:
    """The refusal's name, as a word: RunRefused is run-refused."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()


def _in_shape(response: Response | None) -> Response | None:
    """REST framework's answer with the problem as its body; its headers stay."""
    if response is None:
        return None
    told = response.data
    if isinstance(told, dict) and set(told) == {"detail"}:
        code = getattr(told["detail"], "code", "")
        response.data = problem_details(
            response.status_code, str(told["detail"]), code if isinstance(code, str) else ""
        )
    else:
        detail = f"The request does not fit. {_first(told)}".strip()
        response.data = problem_details(response.status_code, detail, "invalid", _by_field(told))
    response.content_type = MEDIA_TYPE
    return response


def _by_field(told: object) -> object:
    return told if isinstance(told, dict) else {"non_field_errors": told}


def _first(told: object, name: str = "") -> str:
    """The first sentence, with the field that it is about."""
    if isinstance(told, dict):
        for key, value in told.items():
            if found := _first(value, "" if key == "non_field_errors" else str(key)):
                return found
        return ""
    if isinstance(told, list):
        return next((found for value in told if (found := _first(value, name))), "")
    return f"{name}: {told}" if name else str(told)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The project's 404: a page, and below /api/ the same problem as everywhere there."""
    if not request.path_info.startswith("/api/"):
        return page_not_found(request, exception)
    told = problem_details(404, "There is no such address.")
    return JsonResponse(told, status=404, content_type=MEDIA_TYPE)
