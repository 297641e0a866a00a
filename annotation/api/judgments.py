"""What raters judged, over JSON."""

from django.db.models import QuerySet
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access
from annotation.api.bases import ForResearchers
from annotation.api.filters import JudgmentFilter
from annotation.api.schema import says
from annotation.api.serializers import one_of_or_none
from annotation.models import Judgment, ResponseJudgment
from annotation.vocabulary import (
    AssignmentKind,
    AssignmentState,
    ResponseMode,
    SafetyLevel,
    Severity,
    Side,
    TokenScope,
)


class ResponseJudgmentSerializer(serializers.ModelSerializer):
    """What was said of one response."""

    arm = serializers.CharField(source="response.arm.name", read_only=True)
    side = one_of_or_none(Side)
    safety = one_of_or_none(SafetyLevel)
    severity = one_of_or_none(Severity)
    mode = one_of_or_none(ResponseMode)
    categories = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = ResponseJudgment
        fields = [
            *("response", "arm", "side", "safety", "severity", "helpfulness", "mode", "categories"),
            "facilitation",
        ]
        read_only_fields = fields


class JudgmentSerializer(serializers.ModelSerializer):
    """One revision of a rater's answers. Pair answers run from −3 (arm a) to 3 (arm b), whatever the sides.

    `kind` and `state` are of the pair as the rater had it; both are null for what was imported.
    """

    id = serializers.IntegerField(source="pk", read_only=True)
    rater = serializers.CharField(source="enrolment.code", read_only=True)
    prompt = serializers.CharField(source="pair.prompt.key", default=None, read_only=True, allow_null=True)
    pair = serializers.IntegerField(source="pair_id", read_only=True, allow_null=True)
    kind = serializers.ChoiceField(
        AssignmentKind.choices, source="assignment.kind", default=None, read_only=True, allow_null=True
    )
    state = serializers.ChoiceField(
        AssignmentState.choices, source="assignment.state", default=None, read_only=True, allow_null=True
    )
    safer = serializers.IntegerField(source="safer_canonical", read_only=True, allow_null=True)
    more_helpful = serializers.IntegerField(source="more_helpful_canonical", read_only=True, allow_null=True)
    balance = serializers.IntegerField(source="balance_canonical", read_only=True, allow_null=True)
    guideline = serializers.IntegerField(
        source="guideline.version", default=None, read_only=True, allow_null=True
    )
    responses = ResponseJudgmentSerializer(many=True, read_only=True)

    class Meta:
        model = Judgment
        fields = [
            *("id", "rater", "source", "kind", "state", "prompt", "pair", "revision", "left_is_a", "safer"),
            *("more_helpful", "balance", "both_bad", "confidence", "rationale", "guideline"),
            *("responses", "created_at"),
        ]
        read_only_fields = fields


class JudgmentList(ForResearchers, generics.ListAPIView):
    """What raters judged, every revision, the newest first; `?counting=true`: what reports are made of."""

    scope = TokenScope.EXPORT
    serializer_class = JudgmentSerializer
    filterset_class = JudgmentFilter
    queryset = Judgment.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Judgment]:
        rows = self.study().judgments.select_related("enrolment", "pair__prompt", "guideline", "assignment")
        return rows.defer("pair__prompt__messages").prefetch_related("responses__response__arm")


class JudgmentDetail(ForResearchers, APIView):
    scope = TokenScope.EXPORT

    @says(JudgmentSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """One judgment."""
        return Response(JudgmentSerializer(access.judgment_in(self.study(), pk)).data)
