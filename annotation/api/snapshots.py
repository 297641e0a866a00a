"""Frozen data over JSON: frozen, listed, downloaded file by file."""

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import freezing, snapshots
from annotation.api.bases import ForResearchers, hinted
from annotation.api.files import OfFiles, says_archive, says_file, sent_archive, sent_file
from annotation.api.once import once
from annotation.api.schema import PLAIN, an_object, says
from annotation.api.serializers import SnapshotSerializer
from annotation.models import Freezing, Snapshot
from annotation.reports.rows import counting

ASKED = OpenApiResponse(an_object(detail=PLAIN[str]), "A worker freezes it; look at the list.")


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


class SnapshotFile(OfFiles):
    @says_file
    def get(self, request: Request, slug: str, number: int, name: str) -> HttpResponseBase:
        """One file of the snapshot, or a part of it: an interrupted download goes on with `Range`."""
        snapshot = access.snapshot_for(request.user, slug, number)
        return sent_file(request, access.snapshot_file(snapshot, name), snapshot)


class SnapshotArchive(OfFiles):
    @says_archive
    def get(self, request: Request, slug: str, number: int) -> HttpResponseBase:
        """All files of the snapshot as one ZIP, or a part of it."""
        return sent_archive(request, access.snapshot_for(request.user, slug, number))
