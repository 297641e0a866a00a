"""A person's tokens for the API: made, listed, revoked. For researchers and raters alike."""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotation import access
from annotation.actions import tokens as actions
from annotation.errors import DomainError, NotFound
from annotation.vocabulary import TokenScope

DAYS = [("7", "A week"), ("30", "A month"), ("90", "Three months"), ("365", "A year")]


class TokenForm(forms.Form):
    """A new token. None of them lasts for ever: what is forgotten ends by itself."""

    name = forms.CharField(max_length=100, label="Name (where it is used)")
    scopes = forms.MultipleChoiceField(
        choices=TokenScope.choices, widget=forms.CheckboxSelectMultiple, label="What it may do"
    )
    days = forms.ChoiceField(choices=DAYS, initial="90", label="Valid for")

    def __init__(self, *args, is_rater: bool, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scopes"].initial = [TokenScope.RATE] if is_rater else [TokenScope.READ]


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The tokens, and the form for another; a new one's secret is shown on this one reply."""
    form = TokenForm(request.POST or None, is_rater=not request.user.is_staff)
    made = secret = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        until = timezone.now() + timedelta(days=int(given["days"]))
        try:
            made, secret = actions.make_token(request.user, given["name"], given["scopes"], until)
            form = TokenForm(is_rater=not request.user.is_staff)
        except DomainError as error:
            form.add_error("name", str(error))
    listed = access.tokens_of(request.user)
    context = {"form": form, "made": made, "secret": secret, "tokens": listed, "now": timezone.now()}
    return render(
        request, "desk/tokens.html", {"here": "tokens", **context}, status=422 if form.errors else 200
    )


@login_required
@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """The token opens nothing from now on."""
    try:
        found = access.token_of(request.user, pk)
    except NotFound as error:
        raise Http404(str(error)) from error
    actions.revoke_token(found)
    messages.success(request, f"“{found.name}” opens nothing any more.")
    return redirect("tokens:tokens")


app_name = "tokens"
urlpatterns = [
    path("", tokens, name="tokens"),
    path("<int:pk>/revoke/", revoke, name="revoke"),
]
