"""What a study compares, over JSON: prompts, arms, responses, pairs, gold."""

from django.db.models import QuerySet
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response as Answer
from rest_framework.views import APIView

from annotation import access
from annotation.actions import arms, gold, prompts
from annotation.api.bases import ForResearchers
from annotation.api.filters import PairFilter, PromptFilter, ResponseFilter
from annotation.api.once import once
from annotation.api.schema import PLAIN, an_object, says
from annotation.api.serializers import (
    ArmSerializer,
    GoldSerializer,
    ManyPromptsSerializer,
    PairLineSerializer,
    PairSerializer,
    PromptSerializer,
    ResponseLineSerializer,
    ResponseSerializer,
    checked,
)
from annotation.errors import PromptsRefused
from annotation.models import Arm, Gold, Pair, Prompt, Response
from annotation.models.model_settings import MODEL_SETTINGS
from annotation.vocabulary import GoldUse
from models_runtime.errors import InvalidSampling, RuntimeFailure
from models_runtime.registry import check_spec
from models_runtime.types import ModelSpec, Sampling

# Prompts ---------------------------------------------------------------------------------------------


class PromptList(ForResearchers, generics.ListAPIView):
    """The prompts of the study, with their labels."""

    serializer_class = PromptSerializer
    filterset_class = PromptFilter
    queryset = Prompt.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Prompt]:
        return self.study().prompts.all()

    @once
    @says(PromptSerializer, 201, PromptSerializer)
    def post(self, request: Request, slug: str) -> Answer:
        """Add one prompt."""
        study, given = self.study(), checked(PromptSerializer, request.data)
        (added,) = prompts.add_prompts(study, [given], request.user)
        return Answer(PromptSerializer(added).data, status.HTTP_201_CREATED)


class ManyPrompts(ForResearchers, APIView):
    @once
    @says(an_object(added=int), 201, ManyPromptsSerializer)
    def post(self, request: Request, slug: str) -> Answer:
        """Add up to 1,000 prompts: all of them, or none with what is wrong by place."""
        study, given = self.study(), checked(ManyPromptsSerializer, request.data)
        try:
            added = prompts.add_prompts(study, given["prompts"], request.user)
        except PromptsRefused as error:
            raise ValidationError({"prompts": {str(error.place): [str(error)]}}) from error
        return Answer({"added": len(added)}, status.HTTP_201_CREATED)


class PromptDetail(ForResearchers, APIView):
    @says(PromptSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Answer:
        """One prompt."""
        return Answer(PromptSerializer(access.prompt_in(self.study(), pk)).data)

    @says(PromptSerializer, 200, PromptSerializer)
    def patch(self, request: Request, slug: str, pk: int) -> Answer:
        """Change labels; key and messages only while nothing refers to the prompt."""
        found = access.prompt_in(self.study(), pk)
        given = checked(PromptSerializer, request.data, instance=found, partial=True)
        prompts.change_prompt(found, request.user, **given)
        return Answer(PromptSerializer(found).data)

    @says(status=204)
    def delete(self, request: Request, slug: str, pk: int) -> Answer:
        """Take out a prompt that nothing refers to."""
        prompts.remove_prompt(access.prompt_in(self.study(), pk), request.user)
        return Answer(status=status.HTTP_204_NO_CONTENT)


# Arms ------------------------------------------------------------------------------------------------


class ArmList(ForResearchers, generics.ListAPIView):
    """The arms in their order, with their settings."""

    serializer_class = ArmSerializer
    ordering = "position"
    queryset = Arm.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Arm]:
        return self.study().arms.all()

    @once
    @says(ArmSerializer, 201, ArmSerializer)
    def post(self, request: Request, slug: str) -> Answer:
        """Add an arm; without `backend` it only takes imported responses."""
        study, given = self.study(), _checked_arm(request.data)
        return Answer(
            ArmSerializer(arms.define_arm(study, actor=request.user, **given)).data, status.HTTP_201_CREATED
        )


class ArmDetail(ForResearchers, APIView):
    @says(ArmSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Answer:
        """One arm."""
        return Answer(ArmSerializer(access.arm_numbered(self.study(), pk)).data)

    @says(ArmSerializer, 200, ArmSerializer)
    def patch(self, request: Request, slug: str, pk: int) -> Answer:
        """Change its name, and its settings until it has generated."""
        found = access.arm_numbered(self.study(), pk)
        given = _checked_arm(request.data, found)
        arms.change_arm(found, request.user, **given)
        return Answer(ArmSerializer(found).data)

    @says(status=204)
    def delete(self, request: Request, slug: str, pk: int) -> Answer:
        """Take out an arm that nothing refers to."""
        arms.remove_arm(access.arm_numbered(self.study(), pk), request.user)
        return Answer(status=status.HTTP_204_NO_CONTENT)


def _checked_arm(data: object, found: Arm | None = None) -> dict:
    """What was sent, if a model could be loaded and sampled by it. Raises ValidationError."""
    given = checked(ArmSerializer, data, instance=found, partial=found is not None)
    whole = (found.settings if found else {}) | given
    settings = {name: whole[name] for name in MODEL_SETTINGS if name in whole}
    try:
        if settings.get("backend"):
            check_spec(ModelSpec(**settings))
        if "sampling" in given:
            given["sampling"] = Sampling.from_dict(given["sampling"]).to_dict()
    except InvalidSampling as error:
        raise ValidationError({"sampling": [str(error)]}) from error
    except (RuntimeFailure, TypeError) as error:
        raise ValidationError({"backend": [str(error)]}) from error
    return given


# Responses and pairs ---------------------------------------------------------------------------------


class ResponseList(ForResearchers, generics.ListAPIView):
    """The responses of the arms; each by itself has its text."""

    serializer_class = ResponseLineSerializer
    filterset_class = ResponseFilter
    queryset = Response.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Response]:
        return self.study().responses.select_related("prompt", "arm").defer("text", "reasoning", "provenance")


class ResponseDetail(ForResearchers, APIView):
    @says(ResponseSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Answer:
        """One response with its text and where it comes from."""
        return Answer(ResponseSerializer(access.response_in(self.study(), pk)).data)


class PairList(ForResearchers, generics.ListAPIView):
    """The pairs, with how many judgments they have and wait for."""

    serializer_class = PairLineSerializer
    filterset_class = PairFilter
    queryset = Pair.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Pair]:
        rows = self.study().pairs.select_related("prompt", "response_a__arm", "response_b__arm")
        return rows.defer("prompt__messages", "response_a__text", "response_b__text")


class PairDetail(ForResearchers, APIView):
    @says(PairSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Answer:
        """One pair with its texts."""
        return Answer(PairSerializer(access.pair_in(self.study(), pk)).data)


# Gold ------------------------------------------------------------------------------------------------


class GoldList(ForResearchers, generics.ListAPIView):
    """The gold pairs with the answers that are expected."""

    serializer_class = GoldSerializer
    queryset = Gold.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Gold]:
        return self.study().gold.select_related("pair__prompt")

    @once
    @says(GoldSerializer, 201, GoldSerializer)
    def post(self, request: Request, slug: str) -> Answer:
        """Make a pair gold that nobody has seen: its answers are known, and the study no longer rates it."""
        study, given = self.study(), checked(GoldSerializer, request.data)
        pair, use = access.pair_in(study, given.pop("pair_id")), GoldUse(given.pop("use"))
        made = gold.make_gold(pair, use=use, actor=request.user, **given)
        made.refresh_from_db()
        return Answer(GoldSerializer(made).data, status.HTTP_201_CREATED)


class RetireGold(ForResearchers, APIView):
    @says(an_object(retired=PLAIN[bool]))
    def post(self, request: Request, slug: str, pk: int) -> Answer:
        """Give the gold pair to nobody else; false where it was retired already."""
        return Answer({"retired": gold.retire_gold(access.gold_in(self.study(), pk), request.user)})
