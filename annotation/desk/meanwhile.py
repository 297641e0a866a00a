"""Two people have the same form open: the second to save is told, and nothing that either wrote is lost.

The page carries a mark of what was stored when it was made. Saving compares it with the locked row; a page
that comes back instead tells what is stored by now, and carries the mark of that: saving again is meant.
"""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TypeVar

from django import forms
from django.http import HttpRequest

from annotation.actions.studies import change_study
from annotation.errors import DomainError, StudyMoved
from annotation.models import Arm, Prompt, Study
from annotation.text import spelt_out

MARK = "read"
MOVED = (
    "Somebody saved this meanwhile. Where it differs from yours is told below. Save again, and what you "
    "wrote takes its place."
)
LONGEST_SHOWN = 2_000

Stored = Mapping[str, object]
Row = TypeVar("Row", Study, Arm, Prompt)


def reading(*names: str) -> Callable[[Study], Stored]:
    """What is stored in the fields of a form whose fields are the study's own."""
    return lambda study: {name: getattr(study, name) for name in names}


def mark_of(stored: Stored) -> str:
    """A word for each value, so that it can be told which of them changed."""
    return " ".join(sha256(json.dumps(value).encode()).hexdigest()[:12] for value in stored.values())


def as_read(request: HttpRequest, read: Callable[[Row], Stored]) -> Callable[[Row], bool] | None:
    """For a verb: whether a row is as the page showed it. None for a page that brought no mark."""
    mark = request.POST.get(MARK)
    return (lambda row: mark_of(read(row)) == mark) if mark else None


def is_saved(
    request: HttpRequest, study: Study, form: forms.BaseForm, read: Callable[[Study], Stored]
) -> bool:
    """Whether the study's fields are now as the form says; if not, the page that comes back tells why."""
    try:
        change_study(study, request.user, as_read(request, read), **form.cleaned_data)
    except StudyMoved:
        study.refresh_from_db()  # `mark_for` tells what came
    except DomainError as error:
        form.add_error(None, str(error))
    else:
        return True
    return False


def mark_for(
    request: HttpRequest, form: forms.BaseForm, stored: Stored, told: Mapping[str, str] | None = None
) -> str:
    """The mark for the page; the form tells what was saved since the one that it brought.

    told: sentences about fields that are not shown whole.
    """
    mark = mark_of(stored)
    brought = request.POST.get(MARK)
    if form.is_bound and brought and brought != mark:
        moved = [
            name
            for name, before, now in zip(stored, brought.split(), mark.split(), strict=False)
            if before != now
        ]
        form.add_error(None, MOVED)
        for name in [name for name in moved if _differs(form, name, stored[name])]:
            form.add_error(name, (told or {}).get(name) or _now(form.fields[name], stored[name]))
    return mark


def _differs(form: forms.BaseForm, name: str, value: object) -> bool:
    given = form.cleaned_data.get(name)
    return (_plain(given) if isinstance(given, str) else given) != (
        _plain(value) if isinstance(value, str) else value
    )


def _plain(text: str) -> str:
    """As a browser sends it and as it is stored are the same text."""
    return text.replace("\r\n", "\n").strip()


def _now(field: forms.Field, value: object) -> str:
    if isinstance(value, bool):
        return f"Somebody {'ticked this' if value else 'took this tick away'} meanwhile."
    if isinstance(value, list):
        value = ", ".join(value)
    if value is None or value == "":
        return "Somebody emptied this meanwhile."
    shown = str(dict(getattr(field, "choices", ())).get(value, value))
    if len(shown) > LONGEST_SHOWN:
        shown = f"{shown[:LONGEST_SHOWN]} …"
    return f"Somebody made this “{spelt_out(shown)}” meanwhile."
