"""A study's results: all tables at once, or one as a file."""

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.api.bases import ForResearchers
from annotation.api.errors import problem
from annotation.api.files import OfFiles
from annotation.api.schema import PLAIN, a_file, a_list, an_object, says
from annotation.errors import NotFound
from annotation.models import Report
from annotation.reports.filters import NAMES, Filters
from annotation.reports.stored import Kept, long_tables, read_results, table_in
from annotation.reports.table_files import MEDIA_TYPES, WRITERS
from annotation.reports.tables import Column

SECONDS_TO_WAIT = 5
TABLE = an_object(
    name=str, title=str, caption=str, columns=a_list(Column), rows=a_list({"type": "array", "items": {}})
)
MAKING = OpenApiResponse(an_object(detail=PLAIN[str]), "Being made; `Retry-After` says when to look.")
RESULTS = an_object(
    made_at={"type": "string", "format": "date-time"},
    age_seconds=int,
    data_moved={"type": ["boolean", "null"]},
    making=PLAIN[bool],
    failure=str,
    about=dict,
    tables=a_list(TABLE),
    only_as_files=a_list(an_object(name=str, rows=int)),
)
MANY = {"type": "array", "items": {"type": "string"}}
FILTERS = [
    *(OpenApiParameter(name, MANY, explode=True) for name in NAMES.values()),
    OpenApiParameter("since", {"type": "string", "format": "date"}),
    OpenApiParameter("until", {"type": "string", "format": "date"}),
    OpenApiParameter("snapshot", str, description="A snapshot's number, instead of the live data."),
]


class _OfResults(ForResearchers, APIView):
    def look(self, request: Request, *, again: bool = False) -> tuple[Kept, bool]:
        """What is kept of the results that the address names; asked for where they are missing or old."""
        study = self.study()
        number = request.query_params.get("snapshot", "")
        snapshot = access.snapshot_numbered(request.user, study, number) if number else None
        filters = Filters.from_query(request.query_params)
        return tasks.look_at_results(study, filters, snapshot, request.user, again=again)


class Results(_OfResults):
    @says(RESULTS, parameters=FILTERS, also={202: MAKING})
    def get(self, request: Request, slug: str) -> Response:
        """`about`, `tables`, and how old they are; 202 while they are made for the first time.

        The filters of the page are parameters: intent, category, subset, language, arm, cohort, guideline
        (each any number of times), since, until; and `snapshot`, a number, instead of the live data.
        """
        kept, told = self.look(request)
        if kept.report is None:
            return not_yet(kept, told)
        return Response({**age_of(kept), **_told(kept.report)})

    @says(an_object(detail=PLAIN[str]), 202, parameters=FILTERS)
    def post(self, request: Request, slug: str) -> Response:
        """Have them made again."""
        kept, told = self.look(request, again=True)
        return not_yet(kept, told)


def _told(report: Report) -> dict:
    left_out = [{"name": name, "rows": rows} for name, rows in long_tables(report).items()]
    return {**read_results(report).as_json(), "only_as_files": left_out}


def age_of(kept: Kept) -> dict:
    """How old the results are, and whether the data are still the same."""
    age = kept.age(timezone.now())
    return {
        "made_at": kept.report.finished_at,
        "age_seconds": round(age.total_seconds()),
        "data_moved": kept.moved,
        "making": kept.unfinished is not None,
        "failure": kept.failure,
    }


def not_yet(kept: Kept, told: bool) -> Response:
    """202 while results are made, 503 where the last making failed."""
    if kept.failure and kept.unfinished is None:
        return problem(status.HTTP_503_SERVICE_UNAVAILABLE, kept.failure)
    detail = "The results are being made."
    if not told:
        detail = "The queue does not answer. The results are made when it is back."
    elif kept.missing_worker:
        detail = f"The results wait for a worker. {kept.missing_worker}"
    return Response(
        {"detail": detail}, status.HTTP_202_ACCEPTED, headers={"Retry-After": str(SECONDS_TO_WAIT)}
    )


class ResultsFile(OfFiles, _OfResults):
    @extend_schema(parameters=FILTERS, responses={**a_file(*MEDIA_TYPES.values()), 202: MAKING})
    def get(self, request: Request, slug: str, table: str, ending: str) -> Response | HttpResponse:
        """One table as CSV, Parquet or JSON, whole."""
        kept, told = self.look(request)
        if ending not in WRITERS:
            raise NotFound(f"A table comes as {', '.join(WRITERS)}.")
        if kept.report is None:
            return not_yet(kept, told)
        name = f"{slug}-{table}.{ending}"
        return HttpResponse(
            WRITERS[ending](table_in(kept.report, table)),
            content_type=MEDIA_TYPES[ending],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
