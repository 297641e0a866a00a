"""Files that are sent over the API: of snapshots, datasets, results and reports."""

from pathlib import Path

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from annotation import access
from annotation.actions.archives import archive_of
from annotation.api.bases import ForResearchers
from annotation.api.errors import MEDIA_TYPE
from annotation.api.schema import A_PROBLEM, FILE, a_file
from annotation.downloads import download
from annotation.errors import NotFound
from annotation.models import Dataset, Snapshot
from annotation.vocabulary import TokenScope

OCTETS = "application/octet-stream"
A_PART = OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="As in “bytes=1000-”.")
SENT = {
    **a_file(OCTETS),
    (206, OCTETS): OpenApiResponse(FILE, "The part that was asked for."),
    412: OpenApiResponse(None, "The file is another (`If-Match`)."),
    416: OpenApiResponse(None, "The file has no such part."),
}
NO_ROOM = {(507, MEDIA_TYPE): OpenApiResponse(A_PROBLEM, "The server's disk has no room for the ZIP.")}
says_file = extend_schema(parameters=[A_PART], responses=SENT)
"""For a view that answers by `sent_file`."""
says_archive = extend_schema(parameters=[A_PART], responses=SENT | NO_ROOM)
"""For a view that answers by `sent_archive`."""


class AnyFile(BaseRenderer):
    """Files are written by hand; this keeps REST framework from refusing whoever asks for another type."""

    media_type = "*/*"
    format = "file"

    def render(self, data: object, *args: object, **kwargs: object) -> bytes:
        return JSONRenderer().render(data)


class OfFiles(ForResearchers, APIView):
    """Sends a file, to whoever's token may export; what is wrong is told in JSON."""

    scope = TokenScope.EXPORT
    renderer_classes = [JSONRenderer, AnyFile]


def sent_file(request: Request, path: Path, made: Snapshot | Dataset) -> HttpResponseBase:
    """A file of what was made, or the part of it that was asked for. Raises NotFound where it is gone."""
    try:
        return _plainly(download(request._request, path, path.name, access.digest_of(path, made.manifest)))
    except OSError as error:
        raise NotFound(f"This {made._meta.verbose_name} has no such file any more.") from error


def sent_archive(request: Request, made: Snapshot | Dataset) -> HttpResponseBase:
    """All files of what was made as one ZIP, or the part of it that was asked for.

    Raises NotFound, NoRoom.
    """
    archive = archive_of(made)
    return _plainly(download(request._request, archive.path, archive.called, archive.digest))


def _plainly(answer: HttpResponseBase) -> HttpResponseBase:
    """The file as bytes, whatever it holds: half of a JSON file is no JSON."""
    if answer.status_code in (200, 206):
        answer["Content-Type"] = OCTETS
    return answer
