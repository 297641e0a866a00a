"""What programs are told of what went wrong: problem details (RFC 9457)."""

from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"


def problem_details(number: int, detail: str, code: str = "", errors: object = None) -> dict:
    """`detail` is a sentence for a person, `code` a word for a program, `errors` sentences by field."""
    phrase = HTTPStatus(number).phrase
    told = {"type": "about:blank", "title": phrase, "status": number, "detail": detail}
    told["code"] = code or phrase.lower().replace(" ", "-")
    return told if errors is None else told | {"errors": errors}
