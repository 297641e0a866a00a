"""A study's runs and reports over JSON: the same verbs and reports as on the desk."""

from dataclasses import asdict

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import runs
from annotation.api import serializers
from annotation.api.bases import ForResearchers, hinted
from annotation.api.errors import problem
from annotation.api.filters import RunFilter
from annotation.api.once import once
from annotation.api.schema import PLAIN, a_list, an_object, says, shape_of
from annotation.errors import NotFound
from annotation.models import Arm, Run, Study
from annotation.reports.agreement import AgreementReport, agreement_report
from annotation.reports.fairness import FairnessReport, fairness_report
from annotation.reports.flags import FlagsReport, flags_report
from annotation.reports.outcomes import Cell, OutcomesReport, outcomes_report
from annotation.reports.planning import LIMITS, assumptions_for, plan_from_query
from annotation.reports.planning import Plan as Planned
from annotation.reports.progress import RatingProgress, Workers, rating_progress, workers
from annotation.reports.rows import Answers
from annotation.reports.winrates import Headline, WinRateReport, win_rate_report

RENDERED = an_object(
    created_at={"type": "string", "format": "date-time"},
    rendered=a_list(an_object(arm=str, prompt=str, text=str, error=str)),
)
TOLD = an_object(detail=PLAIN[str])


def _with(kind: type, **more: dict) -> dict:
    """The shape of a report's type with these properties besides."""
    told = shape_of(kind)
    return told | {"properties": told["properties"] | more, "required": sorted({*told["required"], *more})}


WIN_RATES = _with(WinRateReport, headlines=a_list(Headline))
CELL = _with(Cell, few=PLAIN[bool])
OUTCOMES = _with(OutcomesReport, rows=a_list(an_object(arm=str, intent=str, safe=CELL, helpful=CELL)))
PROGRESS = _with(RatingProgress, workers=shape_of(Workers))


class RunList(ForResearchers, generics.ListAPIView):
    """The runs with their states."""

    serializer_class = serializers.RunLineSerializer
    filterset_class = RunFilter
    queryset = Run.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Run]:
        return self.study().runs.numbered()

    @once
    @says(serializers.RunSerializer, 201, serializers.NewRunSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Start a run. It is queued even where the queue does not answer; `detail` says so then."""
        study, given = self.study(), serializers.checked(serializers.NewRunSerializer, request.data)
        run = runs.start_run(study, given["samples"], request.user)
        told = hinted(tasks.hint, run)
        return Response({**serializers.RunSerializer(run).data, **told}, status.HTTP_201_CREATED)


class RunDetail(ForResearchers, APIView):
    @says(serializers.RunSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """One run with how far it is."""
        return Response(serializers.RunSerializer(access.run_for(request.user, slug, pk)).data)


class RunControl(ForResearchers, APIView):
    @says(serializers.RunSerializer)
    def post(self, request: Request, slug: str, pk: int, control: str) -> Response:
        """Pause, resume, cancel or retry; the reply is the run as it is then."""
        self.study()
        run = access.run_for(request.user, slug, pk)
        if control not in runs.CONTROLS:
            raise NotFound(f"A run can be told to {', '.join(runs.CONTROLS)}.")
        runs.CONTROLS[control](run, request.user)
        told = hinted(tasks.hint, run) if control in runs.GOES_ON else {}
        now = access.run_for(request.user, slug, pk)
        return Response({**serializers.RunSerializer(now).data, **told})


class DryRun(ForResearchers, APIView):
    @says(RENDERED)
    def get(self, request: Request, slug: str) -> Response:
        """What the models would be given for the first prompts, as the newest dry run rendered it."""
        newest = access.dry_run_of(self.study())
        if newest is None:
            raise NotFound("Nothing was rendered yet. POST here to have a worker do so.")
        return Response({"created_at": newest.created_at, "rendered": newest.detail["rendered"]})

    @says(TOLD, 202)
    def post(self, request: Request, slug: str) -> Response:
        """Have a worker load the models and render the prompts; `GET` tells what came of it."""
        study = self.study()
        if not tasks.sent(tasks.dry_run.delay, study.pk, request.user.pk):
            told = "The queue does not answer, so nothing was rendered. Try again later."
            return problem(status.HTTP_503_SERVICE_UNAVAILABLE, told)
        return Response(
            {"detail": "A worker loads the models and renders the prompts."}, status.HTTP_202_ACCEPTED
        )


class Fairness(ForResearchers, APIView):
    @says(FairnessReport)
    def get(self, request: Request, slug: str) -> Response:
        """Where the arms' settings and answered prompts differ."""
        return Response(asdict(fairness_report(self.study())))


class Flags(ForResearchers, APIView):
    @says(FlagsReport)
    def get(self, request: Request, slug: str) -> Response:
        """Pairs that raters flagged as broken, with their reasons."""
        return Response(asdict(flags_report(self.study())))


class Progress(ForResearchers, APIView):
    @says(PROGRESS)
    def get(self, request: Request, slug: str) -> Response:
        """How far rating is, by rater, and which workers live."""
        return Response({**asdict(rating_progress(self.study())), "workers": asdict(workers())})


class Agreement(ForResearchers, APIView):
    @says(AgreementReport, parameters=[OpenApiParameter("arm", str, description="An arm's name.")])
    def get(self, request: Request, slug: str) -> Response:
        """Of the whole study, or with `?arm=NAME` of that arm's responses."""
        study = self.study()
        return Response(asdict(agreement_report(study, self._arm(study))))

    def _arm(self, study: Study) -> Arm | None:
        name = self.request.query_params.get("arm")
        return access.arm_in(study, name) if name else None


class WinRates(ForResearchers, APIView):
    @says(WIN_RATES)
    def get(self, request: Request, slug: str) -> Response:
        """How often each arm wins against each other, with intervals."""
        return Response(serializers.win_rates(win_rate_report(self.study())))


class Outcomes(ForResearchers, APIView):
    @says(OUTCOMES)
    def get(self, request: Request, slug: str) -> Response:
        """How safe and how helpful each arm's responses were judged, by intent."""
        return Response(serializers.outcomes(outcomes_report(self.study())))


class Plan(ForResearchers, APIView):
    @extend_schema(parameters=[OpenApiParameter(name, str) for name in ("goal", *sorted(LIMITS))])
    @says(Planned)
    def get(self, request: Request, slug: str) -> Response:
        """How large the study must be.

        What the query leaves out is estimated from the study's judgments, or assumed.

        Parameters: `goal` (width, or rate), `target` (points, or per cent), `overlap`, `pairs_per_prompt`,
        `ties` and `power` (per cent), `prompt_share`, `pair_share`, `judgments_per_rater`.
        """
        study = self.study()
        before = assumptions_for(Answers.of_pairs_alone(study), study.overlap)
        return Response(asdict(plan_from_query(request.query_params.dict(), before, study.prompts.count())))
