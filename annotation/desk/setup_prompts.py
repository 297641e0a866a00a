"""Prompts come in from files, the clipboard or another study, and their labels are edited in the table."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation import access
from annotation.actions import forking
from annotation.actions import prompts as prompting
from annotation.actions.imports import jobs
from annotation.actions.imports.pasting import Pasted, look_at_prompts, paste_prompts
from annotation.actions.imports.responses import ResponseRow
from annotation.desk import meanwhile, words
from annotation.desk.imports import UploadForm, limited
from annotation.desk.setup import step_page
from annotation.desk.setup_forms import FromStudyForm, PasteForm, PromptForm
from annotation.desk.views import desk_page
from annotation.errors import DomainError, ImportRefused, StudyMoved
from annotation.models import BatchItem, Prompt, Response, Study
from annotation.text import spelt_out
from annotation.vocabulary import BatchState, Intent

PROMPTS_A_PAGE = 25
PASTED_SHOWN = 10
NOT_KEPT = "Nothing was kept; what you pasted is still here."


@desk_page
@require_safe
def prompts(request: HttpRequest, slug: str) -> HttpResponse:
    return _prompts_page(request, access.study_for(request.user, slug))


def _prompts_page(request: HttpRequest, study: Study, **given) -> HttpResponse:
    asked = request.GET.get("q", "").strip()[:200]
    page = Paginator(_listed(study, asked), PROMPTS_A_PAGE).get_page(request.GET.get("page"))
    others = access.studies_for(request.user).exclude(pk=study.pk)[:200]
    waiting = study.file_imports.filter(format="prompts").exclude(state=BatchState.DONE)[:5]
    context = {
        "page": page,
        "asked": asked,
        "file_form": UploadForm(),
        "paste_form": PasteForm(study=study),
        "from_form": FromStudyForm(studies=others),
        "has_others": bool(others),
        "waiting": waiting,
        "problems": (),
    } | given
    wrong = any(getattr(form, "errors", None) for form in given.values())
    return step_page(request, study, "prompts", 422 if wrong else 200, **context)


def _listed(study: Study, asked: str) -> QuerySet[Prompt]:
    """The prompts in the order in which they came, each with whether it was asked."""
    rows = study.prompts.order_by("pk")
    if asked:
        rows = rows.filter(
            Q(key__icontains=asked) | Q(family__icontains=asked) | Q(harm_category=asked) | Q(intent=asked)
        )
    answered = Exists(Response.objects.filter(prompt=OuterRef("pk")))
    return rows.annotate(is_asked=answered | Exists(BatchItem.objects.filter(prompt=OuterRef("pk"))))


@desk_page
@require_POST
def paste(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what was pasted as it would be kept; “keep” keeps it."""
    study = access.study_for(request.user, slug)
    form = PasteForm(request.POST, study=study)
    if not form.is_valid():
        return _prompts_page(request, study, paste_form=form)
    given = (study, *(form.cleaned_data[name] for name in ("text", "intent", "harm_category")))
    try:
        look = look_at_prompts(*given)
        if look.lacks_intent:
            form.add_error("intent", "Choose one: the rows do not say what these prompts are.")
        if look.lacks_intent or look.problems or "keep" not in request.POST:
            return _looked_at(request, study, form, look)
        made = paste_prompts(*given, request.user)
    except ImportRefused as error:
        form.add_error("text", f"{spelt_out(str(error))} {NOT_KEPT}")
        return _looked_at(request, study, form, Pasted((), error.problems, False))
    told = f"{words.count(made.new_prompts, 'prompt')} came in."
    there = f" {made.already_there:,} were there already." if made.already_there else ""
    messages.success(request, told + there)
    return redirect("desk:setup_prompts", slug)


def _looked_at(request: HttpRequest, study: Study, form: PasteForm, look: Pasted) -> HttpResponse:
    if look.problems:
        bad = words.count(len(look.problems), "row")
        form.errors.pop("text", None)
        form.add_error("text", f"{bad} cannot be taken, as listed. {NOT_KEPT}")
    shown = () if form.errors else [_shown(row) for row in look.rows[:PASTED_SHOWN]]
    more = {"problems": look.problems[:50], "pasted": shown, "pasted_count": len(look.rows)}
    return _prompts_page(request, study, paste_form=form, **more)


def _shown(row: ResponseRow) -> tuple[str, str, str, str]:
    """The prompt, and its labels as people read them."""
    asked = row.messages[-1]["content"] if row.messages else ""
    return asked, Intent(row.intent).label, row.harm_category, row.family


@csrf_exempt  # `limited` checks the token, once the body may be read
@desk_page
@require_POST
@limited
def upload(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep the file; the page of its import shows what it would bring, and asks for what is missing."""
    study = access.study_for(request.user, slug)
    form = UploadForm(request.POST, request.FILES)
    if getattr(request, "is_too_large", False):
        form.full_clean()
        form.errors.clear()
        form.add_error("file", str(jobs.too_large("The file")))
    elif form.is_valid():
        file = form.cleaned_data["file"]
        try:
            job = jobs.receive(study, file.name, file.chunks(), request.user, format_name="prompts")
            return redirect("desk:import", slug, job.pk)
        except ImportRefused as error:
            form.add_error("file", spelt_out(str(error)))
    return _prompts_page(request, study, file_form=form)


@desk_page
@require_POST
def take(request: HttpRequest, slug: str) -> HttpResponse:
    """The prompts of another study of this person's."""
    study = access.study_for(request.user, slug)
    form = FromStudyForm(request.POST, studies=access.studies_for(request.user).exclude(pk=study.pk))
    if not form.is_valid():
        return _prompts_page(request, study, from_form=form)
    source = access.study_for(request.user, form.cleaned_data["source"])
    taken = forking.take_prompts(study, source, request.user)
    messages.success(request, f"{words.count(taken, 'prompt')} came in from “{source.title}”.")
    return redirect("desk:setup_prompts", slug)


# One prompt ------------------------------------------------------------------------------------------


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def prompt(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A row of the table to be edited: with htmx in its place, without as a page."""
    study = access.study_for(request.user, slug)
    found = access.prompt_for(request.user, slug, pk)
    asked = prompting.is_asked(found)
    form = PromptForm(request.POST or None, prompt=found, asked=asked)
    if request.method == "POST" and form.is_valid() and _changes(request, found, form):
        if request.htmx:
            return _row(request, study, found, asked)
        messages.success(request, f"“{spelt_out(found.key)}” is saved.")
        return redirect("desk:setup_prompts", slug)
    mark = meanwhile.mark_for(request, form, PromptForm.stored(found))
    context = {"prompt": found, "form": form, "mark": mark, "asked": asked}
    status = 422 if form.errors else 200
    if request.htmx:
        row = {"study": study, **context}
        return render(request, "desk/setup/_prompt_form.html", row, status=status)
    return step_page(request, study, "prompts", status, template="setup/prompt", **context)


def _changes(request: HttpRequest, found: Prompt, form: PromptForm) -> bool:
    try:
        prompting.change_prompt(
            found, request.user, meanwhile.as_read(request, PromptForm.stored), **form.changes
        )
    except StudyMoved:
        found.refresh_from_db()  # the page that comes back tells what came
        return False
    except DomainError as error:
        form.add_error(None, str(error))
        return False
    return True


@desk_page
@require_safe
def prompt_row(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The row as it is: what an editor that was given up is replaced by."""
    study = access.study_for(request.user, slug)
    found = access.prompt_for(request.user, slug, pk)
    return _row(request, study, found, prompting.is_asked(found))


def _row(request: HttpRequest, study: Study, found: Prompt, asked: bool) -> HttpResponse:
    found.is_asked = asked
    return render(request, "desk/setup/_prompt_row.html", {"study": study, "prompt": found})


@desk_page
@require_POST
def remove_prompt(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    found = access.prompt_for(request.user, slug, pk)
    try:
        prompting.remove_prompt(found, request.user)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"“{spelt_out(found.key)}” left the study.")
    return redirect("desk:setup_prompts", slug)
