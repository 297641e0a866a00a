"""Writes that create take an `Idempotency-Key`: sent twice, they are done once and answered alike."""

import json
from collections.abc import Callable
from functools import wraps
from hashlib import sha256

from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.actions import tokens
from annotation.models import KeptReply
from annotation.strict_json import why_unstorable

LONGEST_KEY = 64
REPLAYED = "Idempotent-Replayed"
HEADER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    OpenApiParameter.HEADER,
    description="A word of your own. The same request under the same key is done once, and answered alike "
    "for a day.",
)
Post = Callable[..., Response]


def once(post: Post) -> Post:
    """A view's `post` that looks at the key; without one it is simply done."""

    @wraps(post)
    def done_once(self: APIView, request: Request, *args: object, **kwargs: object) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return post(self, request, *args, **kwargs)
        if not 0 < len(key) <= LONGEST_KEY or why_unstorable(key):
            raise ValidationError(
                {"Idempotency-Key": [f"A word of your own, up to {LONGEST_KEY} characters."]}
            )
        kept, is_new = tokens.begin_reply(request.user, key, _digest(request))
        return _kept(kept, post, self, request, *args, **kwargs) if is_new else _again(kept)

    return extend_schema(parameters=[HEADER])(done_once)


def _kept(kept: KeptReply, post: Post, view: APIView, request: Request, *args, **kwargs) -> Response:
    try:
        response = post(view, request, *args, **kwargs)
    except BaseException:
        tokens.forget_reply(kept)
        raise
    if response.status_code >= 300:
        tokens.forget_reply(kept)
    else:
        body = JSONRenderer().render(response.data).decode() if response.data is not None else ""
        tokens.keep_reply(kept, response.status_code, body)
    return response


def _again(kept: KeptReply) -> Response:
    body = json.loads(kept.body) if kept.body else None
    return Response(body, kept.status, headers={REPLAYED: "true"})


def _digest(request: Request) -> str:
    """What tells one request from another: where it goes and what it brings."""
    told = json.dumps([request.method, request.get_full_path(), _plain(request.data)], sort_keys=True)
    return sha256(told.encode()).hexdigest()


def _plain(data: object) -> object:
    if isinstance(data, MultiValueDict):  # a form may say a field several times
        return {key: [_plain(value) for value in values] for key, values in data.lists()}
    if isinstance(data, dict):
        return {str(key): _plain(data[key]) for key in data}
    if isinstance(data, UploadedFile):
        digest = sha256()
        for chunk in data.chunks():
            digest.update(chunk)
        data.seek(0)
        return [data.name, digest.hexdigest()]
    return data if isinstance(data, list | str | int | float | bool | None) else str(data)
