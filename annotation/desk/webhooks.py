"""Addresses that are told what happens in a study, what each was told, and telling it again."""

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation import access, tasks
from annotation.actions import webhooks as actions
from annotation.desk.views import QUEUE_IS_DOWN, desk_page
from annotation.errors import DomainError
from annotation.models import Study
from annotation.models.webhook import LONGEST_URL
from annotation.vocabulary import WebhookEvent

DELIVERIES_A_PAGE = 30
CONTROLS = ("on", "off", "remove")


class WebhookForm(forms.Form):
    url = forms.CharField(max_length=LONGEST_URL, label="Address (https://…)")
    events = forms.MultipleChoiceField(
        choices=[(event.value, f"{event.label} ({event.value})") for event in WebhookEvent],
        widget=forms.CheckboxSelectMultiple,
        initial=WebhookEvent.values,
        label="What it is told of",
    )


def _page(request: HttpRequest, template: str, study: Study, status: int = 200, **context) -> HttpResponse:
    frame = {"study": study, "here": "webhooks"}
    return render(request, f"desk/{template}.html", {**frame, **context}, status=status)


@never_cache
@desk_page
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: HttpRequest, slug: str) -> HttpResponse:
    """The addresses, and the form for another; a new one's secret is shown on this one reply."""
    study = access.study_for(request.user, slug)
    form, made = WebhookForm(request.POST or None), None
    if request.method == "POST" and form.is_valid():
        try:
            given = form.cleaned_data
            made = actions.make_webhook(study, given["url"], given["events"], request.user)
            form = WebhookForm()
        except DomainError as error:
            form.add_error("url", str(error))
    context = {"form": form, "made": made, "webhooks": study.webhooks.all()}
    return _page(request, "webhooks", study, 422 if form.errors else 200, **context)


@desk_page
@require_safe
def webhook(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What one address was told, the newest first."""
    study = access.study_for(request.user, slug)
    found = access.webhook_in(study, pk)
    page = Paginator(found.deliveries.all(), DELIVERIES_A_PAGE).get_page(request.GET.get("page"))
    return _page(request, "webhook", study, webhook=found, page=page)


@desk_page
@require_POST
def control_webhook(request: HttpRequest, slug: str, pk: int, control: str) -> HttpResponse:
    """Switch an address on or off, or remove it."""
    found = access.webhook_in(access.study_for(request.user, slug), pk)
    if control == "remove":
        actions.remove_webhook(found, request.user)
        messages.success(request, "The address is told nothing more.")
        return redirect("desk:webhooks", slug)
    if control in CONTROLS:
        actions.change_webhook(found, on=control == "on", actor=request.user)
        messages.success(request, f"The address is switched {control}.")
    return redirect("desk:webhook", slug, pk)


@desk_page
@require_POST
def resend(request: HttpRequest, slug: str, pk: int, delivery: int) -> HttpResponse:
    """Tell it again, now."""
    study = access.study_for(request.user, slug)
    found = access.delivery_in(access.webhook_in(study, pk), delivery)
    try:
        actions.resend(found, request.user)
        messages.success(request, "It is told again.")
        if not tasks.sent(tasks.send_delivery.delay, found.pk):
            messages.warning(request, QUEUE_IS_DOWN)
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("desk:webhook", slug, pk)
