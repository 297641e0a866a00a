"""The automatic grader over JSON."""

from dataclasses import asdict

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import tasks
from annotation.actions import grading
from annotation.api.bases import ForResearchers, hinted
from annotation.api.once import once
from annotation.api.schema import a_list, says, shape_of
from annotation.api.serializers import OnlyKnownFields, checked
from annotation.errors import NotFound
from annotation.models import Grading
from annotation.models.model_settings import MODEL_SETTINGS
from annotation.reports.grades import (
    FailedGrade,
    GradesReport,
    GradingProgress,
    failed_grades,
    grades_report,
    grading_in,
    grading_progress,
)
from annotation.vocabulary import KeepRule


class GradingLineSerializer(serializers.ModelSerializer):
    """A grading as a line of the list. What its delimiters are drawn from (`secret`) stays inside.

    People know it by its `number` within the study; addresses go by `id`.
    """

    id = serializers.IntegerField(source="pk", read_only=True)
    number = serializers.IntegerField(read_only=True)
    quantization = serializers.CharField(read_only=True)
    guideline_version = serializers.IntegerField(
        source="guideline.version", default=None, read_only=True, allow_null=True
    )

    class Meta:
        model = Grading
        fields = [
            "id",
            "number",
            "state",
            *MODEL_SETTINGS,
            "sampling",
            "guideline_condition",
            "guideline_version",
            "rubric_version",
            "rubric_sha256",
            "repeats",
            "keep",
            "error",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields


class GradingSerializer(GradingLineSerializer):
    """A grading with where it stands."""

    progress = serializers.SerializerMethodField()

    class Meta:
        model = Grading
        fields = [*GradingLineSerializer.Meta.fields, "progress"]
        read_only_fields = fields

    @extend_schema_field(shape_of(GradingProgress))
    def get_progress(self, found: Grading) -> dict:
        return asdict(grading_progress(found))


class NewGradingSerializer(OnlyKnownFields):
    """What a grading is started with; `sampling` {} chooses by itself."""

    backend = serializers.CharField()
    model = serializers.CharField()
    revision = serializers.CharField(default="", allow_blank=True)
    dtype = serializers.CharField(default="auto")
    device = serializers.CharField(default="auto")
    adapter = serializers.CharField(default="", allow_blank=True)
    quantization = serializers.CharField(default="", allow_blank=True)
    chat_template = serializers.CharField(default="", allow_blank=True)
    base_url = serializers.CharField(default="", allow_blank=True)
    api_key_variable = serializers.CharField(default="", allow_blank=True)
    sampling = serializers.DictField(default=dict)
    policy_given = serializers.BooleanField(default=False)
    repeats = serializers.IntegerField(min_value=1, max_value=grading.MOST_REPEATS, default=1)
    keep = serializers.ChoiceField(choices=KeepRule.choices, default=KeepRule.MIN)


class GradingList(ForResearchers, generics.ListAPIView):
    """The gradings by an automatic grader, the newest first."""

    serializer_class = GradingLineSerializer
    queryset = Grading.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Grading]:
        return self.study().gradings.numbered().select_related("guideline")

    @once
    @says(GradingSerializer, 201, NewGradingSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Start a grading. It is queued even where the queue does not answer; `detail` says so then."""
        study, given = self.study(), checked(NewGradingSerializer, request.data)
        how = {name: given.pop(name) for name in ("policy_given", "repeats", "keep")}
        found = grading.start_grading(study, grading.Judge(**given), actor=request.user, **how)
        told = hinted(tasks.hint_grading, found)
        return Response({**GradingSerializer(found).data, **told}, status.HTTP_201_CREATED)


class OneGrading(ForResearchers):
    def get_object(self) -> Grading:
        return grading_in(self.study(), self.kwargs["pk"])


class GradingDetail(OneGrading, APIView):
    @says(GradingSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """One grading with how far it is."""
        return Response(GradingSerializer(self.get_object()).data)


class GradingControl(OneGrading, APIView):
    @says(GradingSerializer, also={204: None})
    def post(self, request: Request, slug: str, pk: int, control: str) -> Response:
        """Pause, resume or discard; the reply is the grading as it is then, if it is."""
        found = self.get_object()
        if control not in grading.CONTROLS:
            raise NotFound(f"A grading can be told to {', '.join(grading.CONTROLS)}.")
        grading.CONTROLS[control](found, request.user)
        if control == "discard":
            return Response(status=status.HTTP_204_NO_CONTENT)
        told = hinted(tasks.hint_grading, found) if control == "resume" else {}
        return Response({**GradingSerializer(self.get_object()).data, **told})


GRADES = shape_of(GradesReport)
GRADES = GRADES | {"properties": GRADES["properties"] | {"failures": a_list(FailedGrade)}}


class Grades(OneGrading, APIView):
    @says(GRADES, parameters=[OpenApiParameter("keep", str, enum=KeepRule.values)])
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """The kept grades by arm and intent, people beside the grader, and the first looks that failed.

        `?keep=min` or `mean` reads the grades by that rule instead of the grading's own.
        """
        found, keep = self.get_object(), request.query_params.get("keep", "")
        if keep and keep not in KeepRule.values:
            raise NotFound(f"Grades are kept by {' or '.join(KeepRule.values)}.")
        failures = [asdict(one) for one in failed_grades(found)]
        return Response({**asdict(grades_report(found, keep)), "failures": failures})
