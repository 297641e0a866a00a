"""The one-file report of a snapshot: asked for, and fetched when it was made."""

from django.http import FileResponse
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import printing
from annotation.api.bases import ForResearchers
from annotation.api.errors import problem
from annotation.api.files import OfFiles
from annotation.api.schema import PLAIN, a_file, a_list, an_object, says
from annotation.errors import NotFound


class Report(ForResearchers, APIView):
    @says(an_object(snapshot=int, made=a_list(str)))
    def get(self, request: Request, slug: str, number: int) -> Response:
        """As what the report was made: html, pdf."""
        snapshot = access.snapshot_for(request.user, slug, number)
        return Response({"snapshot": number, "made": list(printing.made_reports(snapshot))})

    @says(an_object(snapshot=int, asked=PLAIN[bool]), 202)
    def post(self, request: Request, slug: str, number: int) -> Response:
        """Have a worker make the one-file report of the snapshot."""
        self.study()
        snapshot = access.snapshot_for(request.user, slug, number)
        if not tasks.ask_for_report(snapshot, request.user):
            return problem(status.HTTP_503_SERVICE_UNAVAILABLE, "The queue does not answer.")
        return Response({"snapshot": number, "asked": True}, status.HTTP_202_ACCEPTED)


class ReportFile(OfFiles):
    @extend_schema(responses=a_file("text/html", "application/pdf"))
    def get(self, request: Request, slug: str, number: int, kind: str) -> FileResponse:
        """The report as HTML or PDF, in one file."""
        snapshot = access.snapshot_for(request.user, slug, number)
        if kind not in printing.made_reports(snapshot):
            raise NotFound("This report was not made yet. POST to “report/” has a worker make it.")
        name = f"{slug}-snapshot-{number}-report.{kind}"
        file = printing.report_file(snapshot, kind).open("rb")
        return FileResponse(file, as_attachment=True, filename=name)
