"""Who works on a study, and in which role; its record; and the study as a whole, over JSON."""

from dataclasses import asdict

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access
from annotation.actions import forking, members, removing
from annotation.api.bases import ForResearchers
from annotation.api.once import once
from annotation.api.schema import says, shape_of
from annotation.api.serializers import OnlyKnownFields, StudySerializer, checked
from annotation.models import Membership, Study, User
from annotation.reports.record import Asked, Page, record_page
from annotation.vocabulary import StudyRole


class MemberSerializer(serializers.ModelSerializer):
    """Somebody who works on the study; raters are listed apart."""

    id = serializers.IntegerField(source="pk", read_only=True)
    user = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "user", "role", "created_at"]
        read_only_fields = fields


class RoleSerializer(OnlyKnownFields):
    role = serializers.ChoiceField(choices=StudyRole.choices)


class NewMemberSerializer(RoleSerializer):
    """`user` is the name that the person logs in with."""

    user = serializers.CharField(max_length=150)

    def validate_user(self, name: str) -> User:
        found = User.objects.filter(username=name, is_active=True).first()
        if found is None:
            raise serializers.ValidationError(
                f"There is no active user “{name}”. The desk invites by e-mail."
            )
        return found


class OfOwners(ForResearchers):
    """What owners alone change."""

    least_to_send = StudyRole.OWNER


class MemberList(OfOwners, generics.ListAPIView):
    """Who works on the study, and as what."""

    serializer_class = MemberSerializer
    queryset = Membership.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Membership]:
        return access.members_of(self.study())

    @once
    @says(
        MemberSerializer,
        201,
        NewMemberSerializer,
        also={200: OpenApiResponse(MemberSerializer, "A member already, whose role stays.")},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Let somebody work on the study."""
        study, given = self.study(), checked(NewMemberSerializer, request.data)
        is_new = members.add_member(study, given["user"], StudyRole(given["role"]), request.user)
        found = study.memberships.select_related("user").get(user=given["user"])
        return Response(
            MemberSerializer(found).data, status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        )


class MemberDetail(OfOwners, APIView):
    @says(MemberSerializer, 200, RoleSerializer)
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        """Give a member another role."""
        study, given = self.study(), checked(RoleSerializer, request.data)
        found = access.member_in(study, pk)
        members.set_role(study, found.user, StudyRole(given["role"]), request.user)
        return Response(MemberSerializer(access.member_in(study, pk)).data)

    @says(status=204)
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        """Take the study off a member's desk."""
        study = self.study()
        members.remove_member(study, access.member_in(study, pk).user, request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


# The record ------------------------------------------------------------------------------------------


class AskedSerializer(serializers.Serializer):
    """Which events; all that is left out is not asked for."""

    by = serializers.CharField(required=False, max_length=150, help_text="A researcher's name, or “system”.")
    verb = serializers.CharField(required=False, max_length=50, help_text="As in “set_state”.")
    since = serializers.DateField(required=False, help_text="A day in UTC.")
    until = serializers.DateField(required=False, help_text="A day in UTC.")
    judging = serializers.BooleanField(required=False, help_text="Every judgment, too.")
    before = serializers.CharField(required=False, max_length=100, help_text="A page's `older`.")


class Record(ForResearchers, APIView):
    @says(shape_of(Page), parameters=[AskedSerializer])
    def get(self, request: Request, slug: str) -> Response:
        """Who did what and when, the newest first, fifty at a time; `older` leads on."""
        given = checked(AskedSerializer, request.query_params)
        before = given.pop("before", "")
        return Response(asdict(record_page(self.study(), Asked(**given), before)))


# The whole study -------------------------------------------------------------------------------------


class NewTitleSerializer(OnlyKnownFields):
    title = serializers.CharField(max_length=200)


def _shown(study: Study) -> dict:
    return StudySerializer(Study.objects.get(pk=study.pk)).data


class Fork(ForResearchers, APIView):
    @once
    @says(StudySerializer, 201, NewTitleSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Make a draft of the same rules, texts, prompts and arms, without the judgments."""
        access.refuse_unless_researcher(request.user)
        study, given = self.study(), checked(NewTitleSerializer, request.data)
        made = forking.fork_study(study, given["title"], request.user)
        return Response(_shown(made), status.HTTP_201_CREATED)


class Archive(OfOwners, APIView):
    @says(StudySerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Close the study and take it out of the lists; nothing is lost."""
        study = self.study()
        removing.archive_study(study, request.user)
        return Response(_shown(study))


class Restore(OfOwners, APIView):
    @says(StudySerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Bring an archived study back, closed as it was."""
        study = self.study()
        removing.restore_study(study, request.user)
        return Response(_shown(study))


CONFIRM = OpenApiParameter(
    "confirm", str, OpenApiParameter.QUERY, required=True, description="The study's slug once more."
)


class Deletion(OfOwners, APIView):
    @says(status=204, parameters=[CONFIRM])
    def delete(self, request: Request, slug: str) -> Response:
        """Delete what the study holds, if nobody has worked in it; else it can be archived."""
        removing.delete_study(self.study(), request.query_params.get("confirm", ""), request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)
