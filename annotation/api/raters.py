"""The people who rate, over JSON: enrolled, invited, paused, heard."""

from dataclasses import asdict

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import accounts, adjudicating, enrolment, flagging, joining, quality
from annotation.api.bases import ForResearchers
from annotation.api.filters import RaterFilter
from annotation.api.once import once
from annotation.api.review import pairs_field
from annotation.api.schema import a_list, an_object, page_of, says, shape_of
from annotation.api.serializers import (
    EnrolSerializer,
    LinkSerializer,
    MadeAccountSerializer,
    MadeLinkSerializer,
    MixSerializer,
    NewLinkSerializer,
    OnlyKnownFields,
    RaterControlSerializer,
    RaterSerializer,
    RulesSerializer,
    checked,
)
from annotation.errors import NotFound
from annotation.models import Appeal, Enrolment, InvitationLink, QualityRules
from annotation.reports.disputes import DisputesReport, disputes_report
from annotation.reports.quality import RaterQuality
from annotation.vocabulary import EnrolmentRole, FlagDecision


class RaterList(ForResearchers, generics.ListAPIView):
    """The raters, by the code that reports know."""

    serializer_class = RaterSerializer
    filterset_class = RaterFilter
    queryset = Enrolment.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Enrolment]:
        return self.study().enrolments.select_related("user")

    @once
    @says(RaterSerializer, 201, EnrolSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Give somebody who has an account a place in the study; twice changes nothing."""
        study, given = self.study(), checked(EnrolSerializer, request.data)
        person = access.person_named(given["username"])
        place = enrolment.enrol(study, person, request.user)
        place.refresh_from_db()
        return Response(RaterSerializer(place).data, status.HTTP_201_CREATED)


class RaterDetail(ForResearchers, APIView):
    @says(RaterSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """One rater who can log in."""
        return Response(RaterSerializer(access.rater_in(self.study(), pk)).data)


class AccountList(ForResearchers, APIView):
    @says(MadeAccountSerializer, 201, EnrolSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Make an account for somebody new, with a place in the study and no password yet.

        At `address` they choose one, once and within three days; no other reply tells it.
        """
        study, given = self.study(), checked(EnrolSerializer, request.data)
        place = accounts.make_rater(study, given["username"], request.user)
        place.refresh_from_db()
        address = reverse("account_reset_password_from_key", args=accounts.password_key(place.user))
        place.address = request.build_absolute_uri(address)
        return Response(MadeAccountSerializer(place).data, status.HTTP_201_CREATED)


def _pause(found: Enrolment, given: dict, request: Request) -> object:
    return quality.pause_rater(found, given["reason"], request.user)


def _resume(found: Enrolment, given: dict, request: Request) -> object:
    return quality.resume_rater(found, request.user, given["exempt"])


def _withdraw(found: Enrolment, given: dict, request: Request) -> object:
    return quality.withdraw_work(found, given["reason"], request.user)


def _senior(found: Enrolment, given: dict, request: Request) -> object:
    return adjudicating.set_role(found, EnrolmentRole.SENIOR, request.user)


def _rater(found: Enrolment, given: dict, request: Request) -> object:
    return adjudicating.set_role(found, EnrolmentRole.RATER, request.user)


CONTROLS = {"pause": _pause, "resume": _resume, "withdraw": _withdraw, "senior": _senior, "rater": _rater}


class RaterControl(ForResearchers, APIView):
    @says(RaterSerializer, 200, RaterControlSerializer)
    def post(self, request: Request, slug: str, pk: int, control: str) -> Response:
        """Pause with a reason, resume, withdraw their work, make them senior, or a rater again."""
        found = access.rater_in(self.study(), pk)
        if control not in CONTROLS:
            raise NotFound(f"With a rater can be done: {', '.join(CONTROLS)}.")
        CONTROLS[control](found, checked(RaterControlSerializer, request.data), request)
        return Response(RaterSerializer(access.rater_in(self.study(), pk)).data)


# Links -----------------------------------------------------------------------------------------------


class LinkList(ForResearchers, generics.ListAPIView):
    """The invitation links; their secrets are not told again."""

    serializer_class = LinkSerializer
    queryset = InvitationLink.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[InvitationLink]:
        return self.study().links.all()

    @says(MadeLinkSerializer, 201, NewLinkSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Make an invitation link. Its `address` is told this once and kept nowhere."""
        study, given = self.study(), checked(NewLinkSerializer, request.data)
        link, secret = joining.make_link(study, actor=request.user, **given)
        link.refresh_from_db()
        link.address = request.build_absolute_uri(reverse("join:join", args=[secret]))
        return Response(MadeLinkSerializer(link).data, status.HTTP_201_CREATED)


class LinkDetail(ForResearchers, APIView):
    @says(LinkSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """One invitation link, without its address."""
        return Response(LinkSerializer(access.link_of(self.study(), pk)).data)


class RevokeLink(ForResearchers, APIView):
    @says(LinkSerializer)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """Let nobody else in by the link; those who came stay."""
        joining.revoke_link(access.link_of(self.study(), pk), request.user)
        return Response(LinkSerializer(access.link_of(self.study(), pk)).data)


# Quality ---------------------------------------------------------------------------------------------


class Quality(ForResearchers, APIView):
    @says(page_of(shape_of(RaterQuality)))
    def get(self, request: Request, slug: str) -> Response:
        """Signals of how each rater rates, with intervals; of a large study as counted last."""
        study = self.study()
        places = study.enrolments.filter(user__isnull=False).values_list("pk", flat=True)
        return Response({"results": [asdict(rater) for rater in tasks.look_at_signals(study, list(places))]})


class Rules(ForResearchers, APIView):
    @says(RulesSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """When raters are paused by rule."""
        study = self.study()
        return Response(
            RulesSerializer(QualityRules.objects.filter(study=study).first() or QualityRules()).data
        )

    @says(RulesSerializer, 200, RulesSerializer)
    def put(self, request: Request, slug: str) -> Response:
        """Set the rules; one that is left out is off."""
        study, given = self.study(), checked(RulesSerializer, request.data)
        names = [name for name in RulesSerializer().fields if name != "least"]
        rules = dict.fromkeys(names) | given
        return Response(RulesSerializer(quality.set_rules(study, request.user, **rules)).data)


class Mix(ForResearchers, APIView):
    @says(MixSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """What is mixed in among the pairs, and what comes before the first one."""
        return Response(MixSerializer(self.study()).data)

    @says(MixSerializer, 200, MixSerializer)
    def patch(self, request: Request, slug: str) -> Response:
        """Change some of it; what is left out stays."""
        study = self.study()
        given = checked(MixSerializer, request.data, instance=study, partial=True)
        if given:
            quality.set_mix(study, request.user, **given)
            study.refresh_from_db()
        return Response(MixSerializer(study).data)


class AppealSerializer(serializers.ModelSerializer):
    id = serializers.IntegerField(source="pk", read_only=True)
    rater = serializers.CharField(source="enrolment.code", read_only=True)

    class Meta:
        model = Appeal
        fields = ["id", "rater", "state", "pause_reason", "text", "answer", "created_at", "decided_at"]
        read_only_fields = fields


class AppealDecisionSerializer(OnlyKnownFields):
    granted = serializers.BooleanField()
    answer = serializers.CharField(max_length=5_000, default="", allow_blank=True)


class AppealList(ForResearchers, generics.ListAPIView):
    """What paused raters wrote, and what was decided."""

    serializer_class = AppealSerializer
    queryset = Appeal.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Appeal]:
        return Appeal.objects.filter(enrolment__study=self.study()).select_related("enrolment")


class DecideAppeal(ForResearchers, APIView):
    @says(AppealSerializer, 200, AppealDecisionSerializer)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """Answer an appeal; granted, the rater goes on and no rule pauses them again."""
        study, given = self.study(), checked(AppealDecisionSerializer, request.data)
        quality.decide_appeal(access.appeal_in(study, pk), given["granted"], given["answer"], request.user)
        return Response(AppealSerializer(access.appeal_in(study, pk)).data)


class Disputes(ForResearchers, APIView):
    @says(DisputesReport)
    def get(self, request: Request, slug: str) -> Response:
        """Pairs that raters dispute, and why, as senior raters see it."""
        return Response(asdict(disputes_report(self.study())))


# Flags -----------------------------------------------------------------------------------------------


class FlagAnswerSerializer(OnlyKnownFields):
    """What is answered to those who flagged these pairs."""

    decision = serializers.ChoiceField(choices=FlagDecision.choices)
    pairs = pairs_field()
    note = serializers.CharField(max_length=flagging.LONGEST_NOTE, default="", allow_blank=True)


class AnswerFlags(ForResearchers, APIView):
    @says(an_object(done=int, pairs=a_list(int), refused=shape_of(dict[str, int])), 200, FlagAnswerSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Keep flagged pairs, hold them for review, or drop them."""
        study, given = self.study(), checked(FlagAnswerSerializer, request.data)
        decided = flagging.answer_flags(study, given["pairs"], given["decision"], given["note"], request.user)
        return Response({"done": decided.done, "pairs": decided.pairs, "refused": decided.refused})
