"""Tables of the results as files, and results made again when somebody asks."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import http_date
from django.views.decorators.http import require_POST, require_safe

from annotation import access, tasks
from annotation.desk.views import desk_page
from annotation.errors import BadFilter, NotFound
from annotation.models import Snapshot, Study
from annotation.reports.filters import Filters
from annotation.reports.stored import kept_results, table_in
from annotation.reports.table_files import MEDIA_TYPES, WRITERS


@desk_page
@require_safe
def results_file(request: HttpRequest, slug: str, table: str, ending: str) -> HttpResponse:
    """One table of the newest results that were made for these filters, as they are shown."""
    study = access.study_for(request.user, slug)
    filters, snapshot = asked_for(request, study)
    if ending not in WRITERS:
        raise Http404("There is no such file.")
    report = kept_results(study, filters, snapshot).report
    if report is None:
        raise NotFound("These results have not been made yet. Open their page first.")
    name = f"{slug}-{table}.{ending}"
    body = WRITERS[ending](table_in(report, table))
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    headers["Last-Modified"] = http_date(report.finished_at.timestamp())
    return HttpResponse(body, content_type=MEDIA_TYPES[ending], headers=headers)


@desk_page
@require_POST
def refresh_results(request: HttpRequest, slug: str) -> HttpResponse:
    """Have the results made again, whatever there is of them."""
    study = access.study_for(request.user, slug)
    filters, snapshot = asked_for(request, study)
    _, told = tasks.look_at_results(study, filters, snapshot, request.user, again=True)
    if not told:
        messages.warning(request, "The queue does not answer. The results are made when it is back.")
    return redirect(f"{reverse('desk:results', args=[slug])}?{request.GET.urlencode()}".rstrip("?"))


def asked_for(request: HttpRequest, study: Study) -> tuple[Filters, Snapshot | None]:
    """The filters and the snapshot (`snapshot=NUMBER`) in the address. Raises NotFound for odd ones."""
    try:
        filters = Filters.from_query(request.GET)
    except BadFilter as error:
        raise NotFound(str(error)) from error
    number = request.GET.get("snapshot", "")
    return filters, access.snapshot_numbered(request.user, study, number) if number else None
