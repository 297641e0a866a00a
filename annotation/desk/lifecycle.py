"""A study is forked, archived, restored or deleted."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation import access
from annotation.actions import forking, removing
from annotation.desk.setup_forms import DeleteForm, ForkForm
from annotation.desk.views import desk_page, owners_page, rendered
from annotation.errors import DomainError


@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def fork(request: HttpRequest, slug: str) -> HttpResponse:
    """A copy that can be changed where the original is fixed."""
    access.refuse_unless_researcher(request.user)
    study = access.study_to_change(request.user, slug)
    form = ForkForm(request.POST or None, initial={"title": f"{study.title} (copy)"[:200]})
    if request.method == "POST" and form.is_valid():
        try:
            made = forking.fork_study(study, form.cleaned_data["title"], request.user)
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request, f"This is the copy of “{study.title}”, a draft. Nobody rates in it yet."
            )
            return redirect("desk:setup", made.slug)
    reply = rendered(request, "fork", study, form=form)
    reply.status_code = 422 if form.errors else 200
    return reply


@desk_page
@require_safe
def archived(request: HttpRequest) -> HttpResponse:
    """The studies that lists do not show."""
    return rendered(request, "archived", studies=access.archived_for(request.user))


@owners_page
@require_POST
def archive(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    removing.archive_study(study, request.user)
    messages.success(request, f"“{study.title}” is archived: closed, and out of the list. Nothing is lost.")
    return redirect("desk:archived")


@owners_page
@require_POST
def restore(request: HttpRequest, slug: str) -> HttpResponse:
    study = access.study_for(request.user, slug)
    removing.restore_study(study, request.user)
    messages.success(request, "The study is back, and closed. Open it when raters should go on.")
    return redirect("desk:study", slug)


@owners_page
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the study's short name first; a study in which somebody worked is only archived."""
    study = access.study_for(request.user, slug)
    form = DeleteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            removing.delete_study(study, form.cleaned_data["typed"], request.user)
        except DomainError as error:
            form.add_error("typed", str(error))
        else:
            messages.success(request, f"“{study.title}” is deleted.")
            return redirect("desk:studies")
    why_not = removing.why_not_deleted(study)
    holds = {
        "prompts": study.prompts.count(),
        "arms": study.arms.count(),
        "pairs": study.pairs.count(),
        "raters": study.enrolments.count(),
    }
    reply = rendered(request, "delete", study, form=form, why_not=why_not, holds=holds)
    reply.status_code = 422 if form.errors else 200
    return reply
