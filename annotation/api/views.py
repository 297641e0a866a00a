"""A researcher's studies over JSON: the same verbs and reports as on the desk."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from rest_framework import generics, status
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import runs
from annotation.api import serializers
from annotation.api.permissions import OfResearchers
from annotation.errors import NotFound
from annotation.models import Arm, Grading, Run, Study, Training
from annotation.reports.agreement import agreement_report
from annotation.reports.fairness import fairness_report
from annotation.reports.flags import flags_report
from annotation.reports.outcomes import outcomes_report
from annotation.reports.planning import assumptions_for, plan_from_query
from annotation.reports.progress import rating_progress, workers
from annotation.reports.rows import Answers
from annotation.reports.winrates import win_rate_report


class Pages(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


class ForResearchers:
    """Members of studies; which studies, and who may change them, is `access`'s to say."""

    permission_classes = [OfResearchers]

    def study(self) -> Study:
        return access.study_for(self.request.user, self.kwargs["slug"])


class StudyList(ForResearchers, generics.ListAPIView):
    serializer_class = serializers.StudySerializer
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[Study]:
        return access.studies_for(self.request.user).prefetch_related("arms")


class StudyDetail(ForResearchers, generics.RetrieveAPIView):
    serializer_class = serializers.StudySerializer

    def get_object(self) -> Study:
        return self.study()


class RunList(ForResearchers, generics.ListCreateAPIView):
    pagination_class = Pages

    def get_serializer_class(self) -> type[serializers.RunLineSerializer]:
        reads = self.request.method != "POST"
        return serializers.RunLineSerializer if reads else serializers.RunSerializer

    def get_queryset(self) -> QuerySet[Run]:
        return self.study().runs.all()

    def create(self, request: Request, slug: str) -> Response:
        """Start a run. It is queued even where the queue does not answer; `detail` says so then."""
        study, serializer = self.study(), self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        run = runs.start_run(study, serializer.validated_data["samples"], request.user)
        return Response({**self.get_serializer(run).data, **hinted(tasks.hint, run)}, status.HTTP_201_CREATED)


def hinted(hint: Callable[[Any], None], found: Run | Grading | Training) -> dict[str, str]:
    """Tell the workers; the rows are the queue, so a broker that is down only adds to the reply."""
    if tasks.sent(hint, found):
        return {}
    what = found._meta.verbose_name
    return {"detail": f"Queued. The queue does not answer; the {what} starts by itself when it is back."}


class RunDetail(ForResearchers, generics.RetrieveAPIView):
    serializer_class = serializers.RunSerializer

    def get_object(self) -> Run:
        return access.run_for(self.request.user, self.kwargs["slug"], self.kwargs["pk"])


class RunControl(RunDetail):
    """POST pauses, resumes, cancels or retries; the reply is the run as it is then."""

    http_method_names = ["post", "options"]

    def post(self, request: Request, slug: str, pk: int, control: str) -> Response:
        run = self.get_object()
        if control not in runs.CONTROLS:
            raise NotFound(f"A run can be told to {', '.join(runs.CONTROLS)}.")
        runs.CONTROLS[control](run, request.user)
        told = hinted(tasks.hint, run) if control in runs.GOES_ON else {}
        return Response({**self.get_serializer(self.get_object()).data, **told})


class DryRun(ForResearchers, APIView):
    def get(self, request: Request, slug: str) -> Response:
        """What the models would be given for the first prompts, as the newest dry run rendered it."""
        newest = access.dry_run_of(self.study())
        if newest is None:
            raise NotFound("Nothing was rendered yet. POST here to have a worker do so.")
        return Response({"created_at": newest.created_at, "rendered": newest.detail["rendered"]})

    def post(self, request: Request, slug: str) -> Response:
        """Have a worker load the models and render the prompts; `GET` tells what came of it."""
        study = self.study()
        if not tasks.sent(tasks.dry_run.delay, study.pk, request.user.pk):
            told = "The queue does not answer, so nothing was rendered. Try again later."
            return Response({"detail": told}, status.HTTP_503_SERVICE_UNAVAILABLE)
        return Response(
            {"detail": "A worker loads the models and renders the prompts."}, status.HTTP_202_ACCEPTED
        )


class Fairness(ForResearchers, APIView):
    def get(self, request: Request, slug: str) -> Response:
        """Where the arms' settings and answered prompts differ."""
        return Response(asdict(fairness_report(self.study())))


class Flags(ForResearchers, APIView):
    def get(self, request: Request, slug: str) -> Response:
        """Pairs that raters flagged as broken, with their reasons."""
        return Response(asdict(flags_report(self.study())))


class Progress(ForResearchers, APIView):
    def get(self, request: Request, slug: str) -> Response:
        return Response({**asdict(rating_progress(self.study())), "workers": asdict(workers())})


class Agreement(ForResearchers, APIView):
    def get(self, request: Request, slug: str) -> Response:
        """Of the whole study, or with `?arm=NAME` of that arm's responses."""
        study = self.study()
        return Response(asdict(agreement_report(study, self._arm(study))))

    def _arm(self, study: Study) -> Arm | None:
        name = self.request.query_params.get("arm")
        return access.arm_in(study, name) if name else None


class WinRates(ForResearchers, APIView):
    def get(self, request: Request, slug: str) -> Response:
        return Response(serializers.win_rates(win_rate_report(self.study())))


class Outcomes(ForResearchers, APIView):
    def get(self, request: Request, slug: str) -> Response:
        return Response(serializers.outcomes(outcomes_report(self.study())))


class Plan(ForResearchers, APIView):
    def get(self, request: Request, slug: str) -> Response:
        """How large the study must be: see `plan_from_query` for the parameters."""
        study = self.study()
        before = assumptions_for(Answers.of_pairs_alone(study), study.overlap)
        return Response(asdict(plan_from_query(request.query_params.dict(), before, study.prompts.count())))
