"""What raters dispute, and why, as senior raters see it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotation import access
from annotation.desk.views import desk_page
from annotation.reports.disputes import disputes_report
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
    report = disputes_report(study)
    shown = [
        (found, ", ".join(QUESTIONS[name] for name in found.questions))
        for found in report.disputes[:MOST_LISTED]
    ]
    context = {
        "study": study,
        "here": "raters",
        "part": "disputes",
        "report": report,
        "shown": shown,
        "seniors": study.enrolments.filter(role=EnrolmentRole.SENIOR).order_by("code"),
    }
    return render(request, "desk/disputes.html", context)
