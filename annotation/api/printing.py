"""The one-file report of a snapshot: asked for, and fetched when it was made."""

from django.http import FileResponse
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import printing
from annotation.api.views import ForResearchers
from annotation.errors import NotFound


class Report(ForResearchers, APIView):
    """POST has a worker make it; GET says which kinds there are."""

    def get(self, request: Request, slug: str, number: int) -> Response:
        snapshot = access.snapshot_for(request.user, slug, number)
        return Response({"snapshot": number, "made": list(printing.made_reports(snapshot))})

    def post(self, request: Request, slug: str, number: int) -> Response:
        snapshot = access.snapshot_for(request.user, slug, number)
        if not tasks.ask_for_report(snapshot, request.user):
            return Response({"detail": "The queue does not answer."}, status.HTTP_503_SERVICE_UNAVAILABLE)
        return Response({"snapshot": number, "asked": True}, status.HTTP_202_ACCEPTED)


class ReportFile(ForResearchers, APIView):
    """The report as HTML or PDF."""

    def get(self, request: Request, slug: str, number: int, kind: str) -> FileResponse:
        snapshot = access.snapshot_for(request.user, slug, number)
        if kind not in printing.made_reports(snapshot):
            raise NotFound("This report was not made yet. POST to “report/” has a worker make it.")
        name = f"{slug}-snapshot-{number}-report.{kind}"
        file = printing.report_file(snapshot, kind).open("rb")
        return FileResponse(file, as_attachment=True, filename=name)
