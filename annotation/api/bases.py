"""What all views of researchers share."""

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import conditional_page
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

from annotation import access, tasks
from annotation.api.permissions import OfResearchers
from annotation.api.tokens import HasScope
from annotation.models import Study


class ForResearchers:
    """Members of studies; which studies, and who may change them, is `access`'s to say.

    What is read has an ETag, and is not sent again to whoever has it (`If-None-Match`).
    """

    permission_classes = [OfResearchers, HasScope]
    throttle_classes = [AnonRateThrottle, UserRateThrottle]
    scope: str | None = None

    @classmethod
    def as_view(cls, **given: Any) -> Callable[[HttpRequest], HttpResponse]:
        return conditional_page(super().as_view(**given))  # type: ignore[misc]

    def study(self) -> Study:
        return access.study_for(self.request.user, self.kwargs["slug"])


def hinted(hint: Callable[[Any], None], found: Model) -> dict[str, str]:
    """Tell the workers; the rows are the queue, so a broker that is down only adds to the reply."""
    if tasks.sent(hint, found):
        return {}
    what = found._meta.verbose_name
    return {"detail": f"Queued. The queue does not answer; the {what} starts by itself when it is back."}
