"""How large the study must be: a small form whose state is its address, and the answer."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotation import access, tasks
from annotation.desk import words
from annotation.desk.forms import PlanForm
from annotation.desk.views import desk_page
from annotation.errors import BadPlan
from annotation.models import Study
from annotation.reports.planning import (
    OBSERVED,
    Assumptions,
    Plan,
    as_query,
    assumptions_for,
    plan_from_query,
    plans_for_usual_goals,
)
from annotation.reports.rows import Answers
from annotation.reports.running import is_small


@dataclass(frozen=True)
class PlanLine:
    """A row of the table."""

    goal: str
    prompts: str
    pairs: str
    judgments: str
    raters: str


@desk_page
@require_safe
def plan(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    before = _before(study)
    query = request.GET.dict()
    found, refused = _planned(query, before, study.prompts.count())
    shown = {**as_query(before, **({"goal": found.goal} if found else {})), **query}
    context = {
        "study": study,
        "here": "plan",
        "form": PlanForm(initial=shown),
        "refused": refused,
        "sentence": words.plan_sentence(found) if found else "",
        "now": words.plan_now(found, study.prompts.count()) if found else "",
        "lines": [_line(row) for row in plans_for_usual_goals(found.assumptions)] if found else [],
        "observed": before if before.source == OBSERVED else None,
        "differs": found is not None and found.assumptions.source != before.source,
    }
    return render(request, "desk/plan.html", context)


def _before(study: Study) -> Assumptions:
    """What the study's own judgments say; of a large one as it was counted last."""
    if is_small(study):
        return assumptions_for(Answers.of_pairs_alone(study), study.overlap)
    found = tasks.look_at_pulse(study)
    return Assumptions(**found.assumptions) if found else Assumptions(overlap=study.overlap)


def _planned(query: dict[str, str], before: Assumptions, prompts: int) -> tuple[Plan | None, str]:
    """The plan, or why there is none."""
    try:
        return plan_from_query(query, before, prompts), ""
    except BadPlan as error:
        return None, str(error)


def _line(found: Plan) -> PlanLine:
    size = found.size
    counts = (size.prompts, size.pairs, size.judgments, size.raters)
    return PlanLine(words.plan_goal(found), *(f"{number:,}" for number in counts))
