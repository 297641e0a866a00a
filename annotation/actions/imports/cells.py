"""What a cell says: each reader takes the file's value and gives ours, or raises BadRow with the reason."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.utils.dateparse import parse_datetime

from annotation import strict_json
from annotation.errors import DomainError
from annotation.text import refuse_hidden

YES = ("true", "1", "1.0", "yes")
NO = ("false", "0", "0.0", "no", "")


class BadRow(Exception):
    """A row that cannot be taken; `str()` is the reason, a sentence."""


def raw_text(value: object, field: str) -> str:
    """The text exactly as written; a missing one is "", a number its digits."""
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        raise BadRow(f"“{field}” must be text.")
    return str(value)


def word(value: object, field: str, longest: int = 200) -> str:
    """A name or label: text without the blanks around it, all of which can be seen."""
    if value is None:
        return ""
    text = raw_text(value, field).strip()
    try:
        refuse_hidden(f"“{field}”", text)
    except DomainError as error:
        raise BadRow(str(error)) from error
    if len(text) > longest:
        raise BadRow(f"“{field}” has {len(text)} characters; at most {longest} are kept.")
    return text


def required_word(value: object, field: str, longest: int = 200) -> str:
    """A name that must be there."""
    text = word(value, field, longest)
    if not text:
        raise BadRow(f"“{field}” is empty.")
    return text


def label(value: object, field: str, known: Sequence[str]) -> str:
    """One of the `known` labels, or "" when none is given."""
    text = word(value, field)
    if text and text not in known:
        raise BadRow(f"“{text}” is not a known {field} ({', '.join(known)}).")
    return text


def whole(value: object, field: str, least: int, most: int) -> int | None:
    """A whole number; None when it is missing. 2, "2", 2.0 and "2.0" are the same."""
    text = word(value, field).replace("−", "-")
    if not text:
        return None
    try:
        number = float("nan" if "_" in text else text)  # Python would read 1_0 as ten
    except ValueError:
        number = float("nan")
    if not least <= number <= most or number != int(number):
        raise BadRow(f"“{field}” is {text}; it must be a whole number from {least} to {most}.")
    return int(number)


def yes_or_no(value: object, field: str) -> bool:
    """A truth value; a missing one is no."""
    text = str(value).lower() if isinstance(value, bool) else word(value, field).lower()
    if text not in (*YES, *NO):
        raise BadRow(f"“{field}” is {text}; it must be true or false.")
    return text in YES


def words(value: object, field: str) -> list[str]:
    """Tags: a list (in CSV as JSON), or text with a semicolon between them."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _list_in(value)
    parts = value if isinstance(value, list) else raw_text(value, field).split(";")
    return [tag for part in parts if (tag := word(part, field))]


def _list_in(text: str) -> object:
    """The list that the text is as JSON, else the text: a tag may begin with a bracket."""
    try:
        value = strict_json.read(text)
    except strict_json.NotJSON:
        return text
    return value if isinstance(value, list) else text


def moment(value: object, field: str) -> datetime | None:
    """A date and time as ISO 8601, in UTC where it names no zone; None when it is missing."""
    text = word(value, field)
    if not text:
        return None
    try:
        at = parse_datetime(text)
        if at is not None:
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        at = None
    if at is None:
        raise BadRow(f"“{field}” is {text}; it must be a time such as 2026-05-31T14:05:00Z.")
    return at
