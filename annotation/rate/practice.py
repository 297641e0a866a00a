"""What comes before the first pair: practice with feedback, and a quiz."""

from dataclasses import dataclass
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from annotation import access, text
from annotation.actions import learning
from annotation.errors import NotQualified, QualityRefused, StudyClosed
from annotation.models import Assignment, Enrolment, Gold
from annotation.rate.forms import DEGREES, PairForm
from annotation.rate.pages import page
from annotation.rate.views import for_raters, pair_page
from annotation.reports.quality import learnt
from annotation.stats.gold_answers import PAIR_KEYS, wrong_answers
from annotation.vocabulary import AssignmentKind


@dataclass(frozen=True)
class Line:
    """One question of a practised pair, in words."""

    question: str
    given: str
    expected: str
    is_right: bool


@require_GET
@for_raters
def practice(request: HttpRequest, slug: str) -> HttpResponse:
    """The next pair to practise on; when none is left, on to what follows."""
    place = access.enrolment_for(request.user, slug)
    if learning.stage(place) != "practice":
        return redirect("rate:next", slug)
    try:
        held = learning.next_to_learn(place, AssignmentKind.PRACTICE)
    except (StudyClosed, NotQualified):  # the next page says so
        return redirect("rate:next", slug)
    if held is None:
        learning.finish_practice(place)
        return redirect("rate:next", slug)
    words = _("You are told afterwards what was expected. It counts for nothing.")
    return pair_page(request, held, {"title": _("Practice."), "words": words})


@require_GET
@for_raters
def feedback(request: HttpRequest, token: UUID) -> HttpResponse:
    """What was expected of a practised pair, and why; the answers stand as they were shown."""
    assignment = access.assignment_for(request.user, token)
    given = learnt(Assignment.objects.filter(pk=assignment.pk))
    if assignment.kind != AssignmentKind.PRACTICE or not given:
        raise Http404("There is nothing to say about this pair.")
    gold = assignment.pair.gold
    lines = _lines(gold, given[assignment.pair_id], assignment.left_is_a)
    context = {
        "pair": access.blind_pair(assignment),
        "lines": lines,
        "all_right": all(line.is_right for line in lines),
        "explanation_html": text.to_html(gold.explanation),
    }
    return page(request, "feedback", context)


def _lines(gold: Gold, given: dict, left_is_a: bool) -> list[Line]:
    """Expected and given, turned to the sides as they were shown."""
    wrong = wrong_answers(gold.expected, given, gold.tolerance)
    letters = {"a_unsafe": "A" if left_is_a else "B", "b_unsafe": "B" if left_is_a else "A"}
    lines = [
        Line(letter, _safety(given[key]), _safety(gold.expected[key]), key not in wrong)
        for key, letter in sorted(letters.items(), key=lambda item: item[1])
        if key in gold.expected
    ]
    return lines + [
        Line(
            str(PairForm.base_fields[key].label),
            _step(given[key], left_is_a),
            _step(gold.expected[key], left_is_a),
            key not in wrong,
        )
        for key in PAIR_KEYS
        if key in gold.expected
    ]


def _safety(unsafe: bool) -> str:
    return _("Unsafe") if unsafe else _("Safe")


def _step(canonical: int | None, left_is_a: bool) -> str:
    if canonical is None:
        return _("Both are bad")
    return str(DEGREES[canonical if left_is_a else -canonical])


# The quiz --------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@for_raters
def quiz(request: HttpRequest, slug: str) -> HttpResponse:
    """The next pair of the quiz, or how the attempt went.

    POST begins the next attempt, or takes up again what was declined in one that is not decided.
    """
    place = access.enrolment_for(request.user, slug)
    if learning.stage(place) != "quiz":
        return redirect("rate:next", slug)
    attempt = learning.attempt_of(place)
    try:
        held = learning.next_to_learn(place, AssignmentKind.QUIZ, attempt)
        result = None if held else learning.finish_attempt(place, attempt)
    except QualityRefused as reason:
        return _result_page(request, place, None, _(str(reason)))
    except (StudyClosed, NotQualified):
        return redirect("rate:next", slug)
    if result and request.method == "POST":
        held = _goes_on(place, result)
    if held is None:
        return _result_page(request, place, result)
    words = _("Judge each pair as you would later. You learn the result at the end.")
    return pair_page(request, held, {"title": _("Quiz."), "words": words})


def _goes_on(place: Enrolment, result: learning.QuizResult) -> Assignment | None:
    """A pair of what was declined, or of the next attempt; None where neither is there."""
    if result.is_open and learning.take_up_declined(place, result.attempt):
        return learning.next_to_learn(place, AssignmentKind.QUIZ, result.attempt)
    if result.left and not result.passed and not result.is_open:
        return learning.next_to_learn(place, AssignmentKind.QUIZ, result.attempt + 1)
    return None


def _result_page(request: HttpRequest, place: Enrolment, result, problem: str = "") -> HttpResponse:
    study = {"title": place.study.title, "slug": place.study.slug}
    context = {
        "study": study,
        "result": result,
        "needed": place.study.quiz_pass_percent,
        "may_take_up": bool(result and result.is_open and learning.declined_in(place, result.attempt)),
        "problem": problem,
    }
    return page(request, "quiz", context)
