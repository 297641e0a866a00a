"""What raters dispute, and why, as senior raters see it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotation import access, tasks
from annotation.desk.views import desk_page
from annotation.models import Study
from annotation.reports.disputes import DisputesReport, disputes_among, disputes_report
from annotation.reports.running import Counted, is_small
from annotation.vocabulary import EnrolmentRole

MOST_LISTED = 200
QUESTIONS = {
    "safety": "safe or unsafe",
    "safer": "which is safer",
    "more_helpful": "which is more helpful",
    "balance": "which balances better",
}


@desk_page
@require_safe
def disputes(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    is_large = not is_small(study)
    found = tasks.look_at_pulse(study) if is_large else None
    report = _kept(study, found) if is_large else disputes_report(study)
    shown = [
        (found, ", ".join(QUESTIONS[name] for name in found.questions))
        for found in report.disputes[:MOST_LISTED]
    ]
    context = {
        "study": study,
        "here": "raters",
        "part": "disputes",
        "report": report,
        "count": found.disputed_in_all if found else len(report.disputes),
        "waiting": found.disputed if found else report.waiting,
        "shown": shown,
        "seniors": study.enrolments.filter(role=EnrolmentRole.SENIOR).order_by("code"),
    }
    return render(request, "desk/disputes.html", context)


def _kept(study: Study, found: Counted | None) -> DisputesReport:
    """The disputes of a large study as they were counted last; none where it was never counted."""
    if found is None:
        return DisputesReport(0, (), ())
    disputed = {int(pair): questions for pair, questions in found.disputes.items()}
    return disputes_among(study, disputed, found.judged_twice)
