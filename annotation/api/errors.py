"""What the domain refuses, as JSON with a `detail`."""

from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from annotation.errors import DomainError, InvalidAnswer, NotFound


def handle(error: Exception, context: dict) -> Response | None:
    """404 for what is not there or not theirs, 422 for answers that do not fit, 409 for other refusals.

    Everything else is REST framework's own.
    """
    if isinstance(error, NotFound):
        return Response({"detail": str(error)}, status.HTTP_404_NOT_FOUND)
    if isinstance(error, InvalidAnswer):
        return Response({"detail": str(error)}, status.HTTP_422_UNPROCESSABLE_ENTITY)
    if isinstance(error, DomainError):
        return Response({"detail": str(error)}, status.HTTP_409_CONFLICT)
    return exception_handler(error, context)
