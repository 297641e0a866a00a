"""Studies over JSON: made, changed, opened and closed, with their guidelines and consents."""

import re
from collections.abc import Callable, Iterable
from hashlib import sha256

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework import generics, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access
from annotation.actions import joining, studies
from annotation.api.bases import ForResearchers
from annotation.api.once import once
from annotation.api.schema import says
from annotation.api.serializers import (
    ConsentSerializer,
    GuidelineSerializer,
    NewStudySerializer,
    StateSerializer,
    StudyChangesSerializer,
    StudySerializer,
    checked,
)
from annotation.models import ConsentVersion, GuidelineVersion, Study
from annotation.reports.progress import nothing_to_rate

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag as it was read; 412 if it has changed."
)


MARKS = re.compile(r'^W/|-(?:gzip|zstd|br)(?="$)')
"""How a proxy that packs a reply marks its ETag: of what it packed, another is what stands in it."""


def etag_of(data: object) -> str:
    """What names this very content."""
    return f'"{sha256(JSONRenderer().render(data)).hexdigest()[:32]}"'


class StudyList(ForResearchers, generics.ListAPIView):
    """The studies that you are a member of."""

    serializer_class = StudySerializer
    queryset = Study.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Study]:
        return access.studies_for(self.request.user).prefetch_related("arms")

    @once
    @says(StudySerializer, 201, NewStudySerializer)
    def post(self, request: Request) -> Response:
        """Make a draft study, of which you are the owner."""
        access.refuse_unless_researcher(request.user)
        given = checked(NewStudySerializer, request.data)
        study = studies.create_study(researcher=request.user, **given)
        return Response(StudySerializer(Study.objects.get(pk=study.pk)).data, status.HTTP_201_CREATED)


class StudyDetail(ForResearchers, APIView):
    @says(StudySerializer)
    def get(self, request: Request, slug: str) -> Response:
        """One study. Its ETag is what a change may be bound to."""
        return _shown(self.study())

    @says(StudySerializer, 200, StudyChangesSerializer, parameters=[IF_MATCH])
    def patch(self, request: Request, slug: str) -> Response:
        """Change some rules; with `If-Match` only if nobody was quicker."""
        study = self.study()
        given = checked(StudyChangesSerializer, request.data, instance=study, partial=True)
        as_read = _as_read(study, request.headers.get("If-Match", "*"), given)
        studies.change_study(study, request.user, as_read, **given)
        return _shown(study)


def _as_read(study: Study, wanted: str, names: Iterable[str]) -> Callable[[Study], bool]:
    """Whether a row is what `If-Match` names; without it, whether it has these fields as `study` has them."""
    if wanted == "*":
        return lambda row: all(getattr(row, name) == getattr(study, name) for name in names)
    tags = _tags(wanted)
    return lambda row: _shown(row)["ETag"] in tags


def _tags(header: str) -> list[str]:
    """The ETags as they left here."""
    return [MARKS.sub("", tag.strip()) for tag in header.split(",")]


def _shown(study: Study) -> Response:
    data = StudySerializer(study).data
    return Response(data, headers={"ETag": etag_of(data)})


class State(ForResearchers, APIView):
    @says(StudySerializer, 200, StateSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Open the study for raters, close it, or whatever states there are; `X-Warning` says what lacks."""
        study, given = self.study(), checked(StateSerializer, request.data)
        studies.set_state(study, given["state"], request.user)
        answer = _shown(study)
        if study.is_open and (lacking := nothing_to_rate(study)):
            answer["X-Warning"] = lacking.encode("ascii", "replace").decode()
        return answer


class Guidelines(ForResearchers, generics.ListAPIView):
    """Every wording of the guideline."""

    serializer_class = GuidelineSerializer
    queryset = GuidelineVersion.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[GuidelineVersion]:
        return self.study().guidelines.all()

    @once
    @says(GuidelineSerializer, 201, GuidelineSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """The next wording of the guideline; raters read it from now on if the study shows one."""
        study, given = self.study(), checked(GuidelineSerializer, request.data)
        made = studies.add_guideline(study, given["body"], request.user)
        made.refresh_from_db()
        return Response(GuidelineSerializer(made).data, status.HTTP_201_CREATED)


class Consents(ForResearchers, generics.ListAPIView):
    """Every wording of what raters agree to."""

    serializer_class = ConsentSerializer
    queryset = ConsentVersion.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[ConsentVersion]:
        return self.study().consent_versions.all()

    @once
    @says(ConsentSerializer, 201, ConsentSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """The next wording of the consent; every rater is asked for it before their next pair."""
        study, given = self.study(), checked(ConsentSerializer, request.data)
        made = joining.add_consent_version(study, **given, actor=request.user)
        made.refresh_from_db()
        return Response(ConsentSerializer(made).data, status.HTTP_201_CREATED)
