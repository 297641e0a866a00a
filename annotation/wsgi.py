"""The WSGI entry point: ``granian --interface wsgi annotation.wsgi:application``."""

import os

from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation.settings")


class UTF8Request(WSGIRequest):
    """A request whose text is UTF-8, whatever character set it names.

    Django reads the address by a character set named in a header, before anything could answer for an error:
    one that is none, such as `zlib`, would break off the connection.
    """

    def _set_content_type_params(self, meta: dict) -> None:
        named = meta.get("CONTENT_TYPE", "")
        super()._set_content_type_params({"CONTENT_TYPE": named.partition(";")[0]})


application = get_wsgi_application()
application.request_class = UTF8Request
