"""What the domain refuses, as JSON with a `detail`."""

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
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
    NotAllowed,
    NotFound,
)

TOO_LARGE = "The body is too large. Nothing that this interface takes is."


def handle(error: Exception, context: dict) -> Response | None:
    """404 for what is not there or not theirs, 403 for what their role does not let them do, 422 for answers,
    plans, filters, recipes and settings that do not fit, 409 for other refusals.

    Everything else is REST framework's own.
    """
    if isinstance(error, NotFound):
        return Response({"detail": str(error)}, status.HTTP_404_NOT_FOUND)
    if isinstance(error, NotAllowed):
        return Response({"detail": str(error)}, status.HTTP_403_FORBIDDEN)
    if isinstance(error, InvalidAnswer | BadPlan | BadFilter | BadRecipe | BadSetting):
        return Response({"detail": str(error)}, status.HTTP_422_UNPROCESSABLE_ENTITY)
    if isinstance(error, DomainError):
        return Response({"detail": str(error)}, status.HTTP_409_CONFLICT)
    if isinstance(error, RequestDataTooBig):
        return Response({"detail": TOO_LARGE}, status.HTTP_413_REQUEST_ENTITY_TOO_LARGE)
    if isinstance(error, SuspiciousOperation):  # such as a form of thousands of fields
        return Response({"detail": str(error)}, status.HTTP_400_BAD_REQUEST)
    return exception_handler(error, context)
