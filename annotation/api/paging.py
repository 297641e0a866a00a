"""Long lists come page by page, by a cursor: rows that arrive meanwhile neither repeat nor hide any."""

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.views import APIView

MOST = 200
LARGEST_KEY = 2**63 - 1


class Pages(CursorPagination):
    """By primary key, the newest first; a view's `ordering` of "pk" turns it round."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = MOST
    ordering = "-pk"

    def get_ordering(self, request: Request, queryset: QuerySet, view: APIView) -> tuple[str, ...]:
        return (getattr(view, "ordering", self.ordering),)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """The cursor, which somebody may have written by hand."""
        cursor = super().decode_cursor(request)
        position = cursor.position if cursor else None
        if position is not None and not (position.isascii() and position.isdigit()):
            raise NotFound(self.invalid_cursor_message)
        if position is not None and int(position[:30]) > LARGEST_KEY:
            raise NotFound(self.invalid_cursor_message)
        return cursor


class NumberedPages(PageNumberPagination):
    """For what is no list of rows."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = MOST
