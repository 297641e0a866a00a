"""Trainings over JSON: start, look, stop, resume, make an arm."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import registering
from annotation.actions import training as actions
from annotation.actions.arms import LONGEST_NAME
from annotation.api.bases import ForResearchers, hinted
from annotation.api.once import once
from annotation.api.schema import a_list, an_object, says
from annotation.api.serializers import OnlyKnownFields, checked
from annotation.errors import NotFound
from annotation.models import Arm, Study, Training
from annotation.reports.trainings import training_progress
from annotation.vocabulary import TrainingStage


class TrainingLineSerializer(serializers.ModelSerializer):
    """A training as a line of the list; others are named by their numbers in the study."""

    snapshot = serializers.IntegerField(source="snapshot.number", read_only=True)
    start_arm = serializers.CharField(source="start_arm.name", default=None, read_only=True, allow_null=True)
    start_training = serializers.IntegerField(
        source="start_training.number", default=None, read_only=True, allow_null=True
    )
    helpfulness = serializers.IntegerField(
        source="helpfulness.number", default=None, read_only=True, allow_null=True
    )
    safety = serializers.IntegerField(source="safety.number", default=None, read_only=True, allow_null=True)
    settings = serializers.DictField(source="arguments", read_only=True)

    class Meta:
        model = Training
        fields = [
            *("number", "stage", "state", "snapshot", "start_arm", "start_training", "helpfulness"),
            *("safety", "settings", "step", "steps", "error", "asked_at", "started_at", "finished_at"),
        ]
        read_only_fields = fields


class TrainingSerializer(TrainingLineSerializer):
    """A training with what it told at each step, the end of its log, and its result."""

    sentence = serializers.SerializerMethodField()
    metrics = serializers.SerializerMethodField()
    log_tail = serializers.SerializerMethodField()

    class Meta:
        model = Training
        fields = [*TrainingLineSerializer.Meta.fields, "sentence", "metrics", "log_tail", "result"]
        read_only_fields = fields

    def get_sentence(self, found: Training) -> str:
        progress = training_progress(found)
        return f"{progress.sentence} {progress.missing}".strip()

    @extend_schema_field(a_list(an_object("loss", step=int, loss={})))
    def get_metrics(self, found: Training) -> list[dict[str, Any]]:
        return [{"step": step, **told} for step, told in found.metrics.values_list("step", "told")]

    def get_log_tail(self, found: Training) -> str:
        return actions.log_tail(found)


class NewTrainingSerializer(OnlyKnownFields):
    """What a training is started with: rows by name or number, and settings of its stage."""

    stage = serializers.ChoiceField(choices=TrainingStage.choices)
    snapshot = serializers.IntegerField(min_value=1)
    start_arm = serializers.CharField(required=False)
    start_training = serializers.IntegerField(required=False)
    helpfulness = serializers.IntegerField(required=False)
    safety = serializers.IntegerField(required=False)
    settings = serializers.DictField(default=dict)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "start_arm" in given and "start_training" in given:
            raise serializers.ValidationError("A training starts from an arm or from a training, not both.")
        return given


class NewArmSerializer(OnlyKnownFields):
    name = serializers.CharField(max_length=LONGEST_NAME, default="", allow_blank=True)


class TrainingList(ForResearchers, generics.ListAPIView):
    """The trainings with their states."""

    serializer_class = TrainingLineSerializer
    queryset = Training.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Training]:
        rows = self.study().trainings
        return rows.select_related("snapshot", "start_arm", "start_training", "helpfulness", "safety")

    @once
    @says(TrainingSerializer, 201, NewTrainingSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Start a training. It is queued even where the queue does not answer; `detail` says so then."""
        study, given = self.study(), checked(NewTrainingSerializer, request.data)
        found = actions.start_training(study, self._plan(study, given), request.user)
        told = hinted(tasks.hint_training, found)
        return Response({**TrainingSerializer(found).data, **told}, status.HTTP_201_CREATED)

    def _plan(self, study: Study, given: dict[str, Any]) -> actions.Plan:
        rewards = {
            name: access.training_in(study, given[name])
            for name in ("helpfulness", "safety")
            if name in given
        }
        snapshot = access.snapshot_for(self.request.user, study.slug, given["snapshot"])
        start = _start(study, given)
        return actions.Plan(given["stage"], snapshot, start, **rewards, given=given["settings"])


def _start(study: Study, given: dict[str, Any]) -> Arm | Training | None:
    if "start_arm" in given:
        return access.arm_in(study, given["start_arm"])
    number = given.get("start_training")
    return access.training_in(study, number) if number is not None else None


class TrainingDetail(ForResearchers, APIView):
    @says(TrainingSerializer)
    def get(self, request: Request, slug: str, number: int) -> Response:
        """One training with its metrics and the end of its log."""
        return Response(TrainingSerializer(access.training_in(self.study(), number)).data)


class TrainingControl(ForResearchers, APIView):
    @says(TrainingSerializer)
    def post(self, request: Request, slug: str, number: int, control: str) -> Response:
        """Stop or resume; the reply is the training as it is then."""
        study = self.study()
        found = access.training_in(study, number)
        if control not in actions.CONTROLS:
            raise NotFound(f"A training can be told to {', '.join(actions.CONTROLS)}.")
        actions.CONTROLS[control](found, request.user)
        told = hinted(tasks.hint_training, found) if control == "resume" else {}
        return Response({**TrainingSerializer(access.training_in(study, number)).data, **told})


ARM_TOLD = an_object("detail", name=str, state=str, error=str, position=int | None, detail=str)


class TrainingArm(ForResearchers, APIView):
    @says(ARM_TOLD, 202, NewArmSerializer)
    def post(self, request: Request, slug: str, number: int) -> Response:
        """Have a worker make the tuned model the study's next arm; GET tells how that stands."""
        found, given = access.training_in(self.study(), number), NewArmSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        asked = registering.ask(found, given.validated_data["name"], request.user)
        told = hinted(lambda row: tasks.register_arm.delay(row.pk), asked)
        return Response({**self._told(found), **told}, status.HTTP_202_ACCEPTED)

    @says(ARM_TOLD)
    def get(self, request: Request, slug: str, number: int) -> Response:
        """The newest making of an arm from this training."""
        return Response(self._told(access.training_in(self.study(), number)))

    def _told(self, found: Training) -> dict[str, Any]:
        newest = found.registrations.select_related("arm").first()
        if newest is None:
            raise NotFound("Nobody asked for an arm of this training. POST here to do so.")
        position = newest.arm.position if newest.arm else None
        return {"name": newest.name, "state": newest.state, "error": newest.error, "position": position}
