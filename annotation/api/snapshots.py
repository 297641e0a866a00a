"""Frozen data over JSON: frozen, listed, downloaded file by file."""

from pathlib import Path

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import freezing, snapshots
from annotation.actions.archives import archive_of
from annotation.api.bases import ForResearchers, hinted
from annotation.api.once import once
from annotation.api.results import AnyFile
from annotation.api.schema import FILE, PLAIN, a_file, an_object, says
from annotation.api.serializers import SnapshotSerializer
from annotation.downloads import download
from annotation.errors import NotFound
from annotation.models import Dataset, Freezing, Snapshot
from annotation.reports.rows import counting
from annotation.vocabulary import TokenScope

OCTETS = "application/octet-stream"
RANGE = OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="As in “bytes=1000-”.")
ASKED = OpenApiResponse(an_object(detail=PLAIN[str]), "A worker freezes it; look at the list.")


FILE_OR_PART = {
    **a_file(OCTETS),
    (206, OCTETS): OpenApiResponse(FILE, "The part that was asked for."),
    412: OpenApiResponse(None, "The file is another (`If-Match`)."),
    416: OpenApiResponse(None, "The file has no such part."),
}


def plainly(answer: HttpResponseBase) -> HttpResponseBase:
    """The file as bytes, whatever it holds: half of a JSON file is no JSON."""
    if answer.status_code in (200, 206):
        answer["Content-Type"] = OCTETS
    return answer


def sent_file(request: Request, path: Path, made: Snapshot | Dataset) -> HttpResponseBase:
    """A file of what was made, or the part of it that was asked for. Raises NotFound where it is gone."""
    try:
        return plainly(download(request._request, path, path.name, access.digest_of(path, made.manifest)))
    except OSError as error:
        raise NotFound(f"This {made._meta.verbose_name} has no such file any more.") from error


def sent_archive(request: Request, made: Snapshot | Dataset) -> HttpResponseBase:
    """All files of what was made as one ZIP, or the part of it that was asked for. Raises NotFound."""
    archive = archive_of(made)
    return plainly(download(request._request, archive.path, archive.called, archive.digest))


class SnapshotList(ForResearchers, generics.ListAPIView):
    """The frozen snapshots."""

    serializer_class = SnapshotSerializer
    queryset = Snapshot.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Snapshot]:
        return self.study().snapshots.select_related("created_by")

    @once
    @says(SnapshotSerializer, 201, also={202: ASKED})
    def post(self, request: Request, slug: str) -> Response:
        """Freeze the study as it is. A large one is frozen by a worker: 202."""
        study = self.study()
        if counting(study).count() <= freezing.AT_ONCE:
            made = snapshots.freeze_snapshot(study, request.user)
            made.refresh_from_db()
            return Response(SnapshotSerializer(made).data, status.HTTP_201_CREATED)
        asked, is_new = freezing.ask(study, request.user)
        hint = hinted(_hint, asked) if is_new else {}
        return Response({"detail": "A worker freezes the study."} | hint, status.HTTP_202_ACCEPTED)


def _hint(asked: Freezing) -> None:
    tasks.freeze_snapshot.delay(asked.pk)


class SnapshotDetail(ForResearchers, APIView):
    @says(SnapshotSerializer)
    def get(self, request: Request, slug: str, number: int) -> Response:
        """One snapshot; `manifest.files` names its files."""
        return Response(SnapshotSerializer(access.snapshot_for(request.user, slug, number)).data)


class SnapshotFile(ForResearchers, APIView):
    scope = TokenScope.EXPORT
    renderer_classes = [JSONRenderer, AnyFile]

    @extend_schema(
        parameters=[RANGE],
        responses=FILE_OR_PART,
    )
    def get(self, request: Request, slug: str, number: int, name: str) -> HttpResponseBase:
        """One file of the snapshot, or a part of it: an interrupted download goes on with `Range`."""
        snapshot = access.snapshot_for(request.user, slug, number)
        return sent_file(request, access.snapshot_file(snapshot, name), snapshot)


class SnapshotArchive(ForResearchers, APIView):
    scope = TokenScope.EXPORT
    renderer_classes = [JSONRenderer, AnyFile]

    @extend_schema(
        parameters=[RANGE],
        responses=FILE_OR_PART,
    )
    def get(self, request: Request, slug: str, number: int) -> HttpResponseBase:
        """All files of the snapshot as one ZIP, or a part of it."""
        return sent_archive(request, access.snapshot_for(request.user, slug, number))
