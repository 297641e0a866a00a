"""The results page: a sentence, then figures, each with the table it was made from."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from annotation import access
from annotation.desk.filtering import filter_form
from annotation.desk.views import desk_page
from annotation.errors import BadFilter
from annotation.models import Run
from annotation.printing.sections import sections_of
from annotation.printing.sentences import headline
from annotation.reports import preference_tables
from annotation.reports.filters import Filters
from annotation.reports.progress import missing_worker
from annotation.reports.rows import Answers
from annotation.reports.winrates import headlines_of


@desk_page
@require_safe
def results(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    try:
        filters = Filters.from_query(request.GET)
    except BadFilter as error:
        messages.error(request, f"{error} All answers are shown.")
        return redirect("desk:results", slug)
    answers = Answers.of_study(study).filtered(filters)
    judgments = len(answers.of_pairs) + len(answers.of_responses)
    tables = preference_tables.tables(answers) if judgments else ()
    context = {
        "study": study,
        "here": "results",
        "missing_worker": missing_worker(Run.objects.filter(study=study)),
        "is_empty": not judgments,
        "headlines": [headline(line) for table in tables[:1] for line in headlines_of(table)],
        "sections": sections_of(tables),
        "filters": filter_form(study, filters),
    }
    return render(request, "desk/results.html", context)
