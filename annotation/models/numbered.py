"""What people know by its number within its study: a study's first run is its run 1, whatever its row's key.

Addresses and programs go by the key.
"""

from typing import Any, Self

from django.db import models
from django.db.models import Count, OuterRef, Subquery
from django.utils.functional import cached_property


class NumberedQuerySet(models.QuerySet):
    def numbered(self) -> Self:
        """With each row's `number`, so that a list needs no query for each."""
        return self.annotate(number=self._number())

    def _number(self) -> Any:
        rows = self.model.objects.filter(study=OuterRef("study"), pk__lte=OuterRef("pk"))
        return Subquery(rows.order_by().values("study").annotate(count=Count("pk")).values("count"))


class Numbered(models.Model):
    class Meta:
        abstract = True

    @cached_property
    def number(self) -> int:
        """Counts the study's from 1, in the order in which they were made."""
        return type(self).objects.numbered().values_list("number", flat=True).get(pk=self.pk)
