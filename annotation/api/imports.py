"""Files come in over HTTP: sent as they are, looked at, started, watched."""

from collections.abc import Iterator
from typing import IO

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions.imports import jobs
from annotation.actions.imports.formats import TITLES
from annotation.api.bases import ForResearchers
from annotation.api.parsers import StrictJSONParser
from annotation.api.schema import FILE, says
from annotation.api.serializers import OnlyKnownFields, checked
from annotation.errors import NotFound
from annotation.models import FileImport, ImportProblem

BLOCK = 2**18
CONTROLS = {"start": jobs.start, "stop": jobs.stop}


class AnyBody(BaseParser):
    """The body as a stream, whatever it is: nothing of it is kept in memory."""

    media_type = "application/octet-stream"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: dict | None = None):
        return {"stream": stream}


class ImportSerializer(serializers.ModelSerializer):
    """A file on its way in. `cancelled` without `started_at` waits to be started."""

    id = serializers.IntegerField(source="pk", read_only=True)
    counts = serializers.DictField(read_only=True)
    columns = serializers.ListField(child=serializers.CharField(), read_only=True)
    rules = serializers.ListField(child=serializers.CharField(), read_only=True)
    constants = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = FileImport
        fields = [
            *("id", "name", "size", "sha256", "format", "state", "columns", "rules", "constants"),
            *("hide_raters", "rows_read", "counts", "error", "uploaded_at", "started_at", "finished_at"),
        ]
        read_only_fields = fields


class ProblemSerializer(serializers.ModelSerializer):
    class Meta:
        model = ImportProblem
        fields = ["line", "reason"]
        read_only_fields = fields


class UploadAsked(serializers.Serializer):
    """What the address of an upload says."""

    name = serializers.CharField(max_length=255, help_text="The file's name, whose ending tells its kind.")
    start = serializers.BooleanField(default=False, help_text="Start at once, without a look at it.")


def options() -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=1_000), max_length=200, required=False, default=list
    )


class MappingSerializer(OnlyKnownFields):
    """How the file is read: `columns` as "field=column", `constants` as "field=value", `rules` as in
    docs/import.md."""

    format = serializers.ChoiceField(choices=list(TITLES.items()))
    columns = options()
    rules = options()
    constants = options()
    hide_raters = serializers.BooleanField(default=False)


class ImportList(ForResearchers, generics.ListAPIView):
    """The files that were sent, and what came of them."""

    serializer_class = ImportSerializer
    parser_classes = [AnyBody]
    queryset = FileImport.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[FileImport]:
        return self.study().file_imports.all()

    @extend_schema(
        parameters=[UploadAsked],
        request={"application/octet-stream": FILE},
        responses={201: ImportSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Send a file of prompts and responses, judgments or preferences: JSON Lines, JSON, CSV or Parquet,
        also packed by gzip. It is recognised, and comes in once it is started."""
        study, asked = self.study(), checked(UploadAsked, request.query_params)
        stream = request.data.get("stream")
        job = jobs.receive(study, asked["name"], _blocks(stream), request.user)
        if asked["start"] and jobs.start(job, request.user):
            tasks.sent(tasks.import_file.delay, job.pk)
        return Response(ImportSerializer(access.import_in(study, job.pk)).data, status.HTTP_201_CREATED)


def _blocks(stream: IO[bytes] | None) -> Iterator[bytes]:
    while stream is not None and (block := stream.read(BLOCK)):
        yield block


class ImportDetail(ForResearchers, APIView):
    @says(ImportSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """How far a file has come in."""
        return Response(ImportSerializer(access.import_in(self.study(), pk)).data)

    @says(ImportSerializer, 200, MappingSerializer)
    def put(self, request: Request, slug: str, pk: int) -> Response:
        """Read a file otherwise that has not begun to come in; one that has is answered as it is."""
        study, given = self.study(), checked(MappingSerializer, request.data)
        jobs.remap(access.import_in(study, pk), given.pop("format"), **given)
        return Response(ImportSerializer(access.import_in(study, pk)).data)

    @says(status=204)
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        """Forget a file; what came in from it stays. One that is under way stays, too: stop it first."""
        jobs.discard(access.import_in(self.study(), pk), request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ImportControl(ForResearchers, APIView):
    parser_classes = [StrictJSONParser]

    @says(ImportSerializer)
    def post(self, request: Request, slug: str, pk: int, control: str) -> Response:
        """Start a file, let it go on, or stop it."""
        study = self.study()
        job = access.import_in(study, pk)
        if control not in CONTROLS:
            raise NotFound(f"An import can be told to {', '.join(CONTROLS)}.")
        if CONTROLS[control](job, request.user) and control == "start":
            tasks.sent(tasks.import_file.delay, job.pk)
        return Response(ImportSerializer(access.import_in(study, pk)).data)


class ImportProblems(ForResearchers, generics.ListAPIView):
    """Rows that were left out, in the order of the file."""

    serializer_class = ProblemSerializer
    ordering = "pk"
    queryset = ImportProblem.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[ImportProblem]:
        return access.import_in(self.study(), self.kwargs["pk"]).problems.all()
