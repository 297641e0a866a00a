"""Raters choose their language; the desk, the admin and the API speak English alone."""

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

ENGLISH_ONLY = ("/desk/", "/admin/", "/api/")


class LanguageMiddleware(LocaleMiddleware):
    """Django's own, except where half of a page would be translated and half not."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        if request.path_info.startswith(ENGLISH_ONLY):
            translation.activate(settings.LANGUAGE_CODE)
            request.LANGUAGE_CODE = settings.LANGUAGE_CODE
