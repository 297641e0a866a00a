"""What the specification (OpenAPI 3.1) says beyond what the views' serializers tell by themselves."""

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from django.urls import get_resolver
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, extend_schema

from annotation.api.errors import MEDIA_TYPE

Shape = dict[str, Any]
EXAMPLES = Path(__file__).with_name("examples.json")
PLAIN: dict[Any, Shape] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    dict: {"type": "object"},
    list: {"type": "array", "items": {}},
    tuple: {"type": "array", "items": {}},
    Any: {},
    object: {},
}
ANYTHING: Shape = {"anyOf": [{"type": "object"}, {"type": "array", "items": {}}]}
FILE: Shape = {"type": "string", "format": "binary"}
PROBLEM: Shape = {
    "type": "object",
    "description": "Problem details (RFC 9457). `detail` is a sentence for people, `code` for programs.",
    "properties": {
        "type": PLAIN[str],
        "title": PLAIN[str],
        "status": PLAIN[int],
        "detail": PLAIN[str],
        "code": PLAIN[str],
        "errors": {"description": "Sentences by field.", "type": "object"},
    },
    "required": ["type", "title", "status", "detail", "code"],
}
A_PROBLEM: Shape = {"$ref": "#/components/schemas/Problem"}
ALWAYS = {
    "400": "What was sent cannot be read, or does not fit.",
    "401": "Nobody is logged in, or the token opens nothing.",
    "403": "The person or the token may not do this.",
    "404": "It is not there, or not yours.",
    "406": "It does not come as the media type that was asked for.",
    "409": "As things stand this cannot be done; `detail` says why.",
    "422": "It contradicts itself or the study.",
    "429": "Too many requests; `Retry-After` says when to come back.",
}
WRITING = {
    "412": "It has changed since it was read (`If-Match`).",
    "413": "The body is too large.",
    "415": "The body has a media type that is not taken.",
    "503": "The queue does not answer.",
}


TAGS = {
    "studies": ("state", "guidelines", "fork", "archive", "restore", "whole", "members", "record"),
    "prompts": (),
    "arms": (),
    "imports": (),
    "runs": ("dry-run",),
    "responses": (),
    "pairs": (),
    "review": (),
    "raters": ("links", "consents", "appeals"),
    "rating": ("claim", "assignments"),
    "quality": ("disputes", "flags", "gold"),
    "judgments": (),
    "reports": ("progress", "plan", "agreement", "win-rates", "outcomes", "fairness", "results"),
    "snapshots": ("pushes",),
    "gradings": (),
    "trainings": (),
    "webhooks": (),
    "tokens": (),
}
"""What operations are about, in the order of a study's life, with the other words for it in addresses."""


class Described(AutoSchema):
    """Operations are named by their addresses' names, and gathered by the word after the study's name."""

    def get_operation_id(self) -> str:
        return f"{self.method.lower()}_{_names()[type(self.view)]}"

    def get_tags(self) -> list[str]:
        words = [word for word in self.path.split("/") if word and "{" not in word][2:]
        word = words[1] if len(words) > 1 and words[0] == "studies" else words[0]
        return [next((tag for tag, others in TAGS.items() if word in (tag, *others)), word)]


@cache
def _names() -> dict[type, str]:
    """Each view's address by its name."""
    patterns = get_resolver("annotation.api.urls").url_patterns
    return {pattern.callback.cls: pattern.name for pattern in patterns if hasattr(pattern.callback, "cls")}


def says(reply: Any = None, status: int = 200, takes: Any = None, why: str = "", **more: Any):
    """What an operation answers, and takes: serializers, shapes, or types that `shape_of` knows."""
    told = shape_of(reply) if _is_type(reply) else reply
    described = OpenApiResponse(told, why or ("Done." if reply is None else ""))
    return extend_schema(request=takes, responses={status: described, **more.pop("also", {})}, **more)


def a_file(*media_types: str) -> dict:
    """Responses of an operation that answers with a file."""
    return {
        (200, kind.partition(";")[0]): OpenApiResponse(ANYTHING if "json" in kind else FILE, "The file.")
        for kind in media_types
    }


def _is_type(reply: Any) -> bool:
    return is_dataclass(reply) or get_origin(reply) is not None


def an_object(*optional: str, **properties: Any) -> Shape:
    """An object with these properties, each a shape or a type; all are there but the optional ones."""
    shapes = {name: kind if isinstance(kind, dict) else shape_of(kind) for name, kind in properties.items()}
    needed = [name for name in properties if name not in optional]
    return {"type": "object", "properties": shapes} | ({"required": needed} if needed else {})


def a_list(of: Any) -> Shape:
    """A list of something."""
    return {"type": "array", "items": of if isinstance(of, dict) else shape_of(of)}


def page_of(item: Shape) -> Shape:
    """What all lists look like that come in one piece."""
    return an_object(results=a_list(item))


def shape_of(kind: Any) -> Shape:
    """The JSON schema of a report's type, as `dataclasses.asdict` and the renderer write it."""
    if is_dataclass(kind):
        return _of_dataclass(kind)
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [shape_of(part) for part in inside]}
    if origin is Literal:
        return {"enum": list(inside)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": shape_of(inside[1])}
    if origin in (list, tuple, Sequence, frozenset, set):
        return {"type": "array", "items": _inside(inside)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    return dict(PLAIN[kind])


def _inside(inside: tuple) -> Shape:
    kinds = list(dict.fromkeys(part for part in inside if part is not Ellipsis))
    return shape_of(kinds[0]) if len(kinds) == 1 else {"anyOf": [shape_of(kind) for kind in kinds]}


@cache
def _of_dataclass(kind: type) -> Shape:
    hints = get_type_hints(kind)
    return an_object(**{field.name: shape_of(hints[field.name]) for field in fields(kind)})


class TokenScheme(OpenApiAuthenticationExtension):
    """How the specification tells of tokens."""

    target_class = "annotation.api.tokens.ScopedTokens"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token made on the desk under Tokens; “Token” is taken in place of “Bearer”.",
        }


# The whole -------------------------------------------------------------------------------------------


def complete(result: dict, generator: SchemaGenerator, **kwargs: Any) -> dict:
    """What all operations share: how errors look, and an example of each."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.exists() else {}
    for ways in result["paths"].values():
        for method, operation in ways.items():
            _add_errors(method, operation)
            _add_examples(operation, examples.get(operation["operationId"], {}))
    _say_null(result)
    return result


def _say_null(node: Any) -> None:
    """Pages are described by REST framework in the words of OpenAPI 3.0, which 3.1 does not know."""
    if isinstance(node, dict):
        if node.pop("nullable", False) is True and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        for inner in node.values():
            _say_null(inner)
    elif isinstance(node, list):
        for inner in node:
            _say_null(inner)


def _add_errors(method: str, operation: dict) -> None:
    said = ALWAYS if method == "get" else ALWAYS | WRITING
    for status, why in said.items():
        operation["responses"].setdefault(status, _problem(why))
    if method == "get":
        operation["responses"].setdefault("304", {"description": "As it was (`If-None-Match`)."})


def _problem(why: str) -> dict:
    return {
        "description": why,
        "content": {MEDIA_TYPE: {"schema": A_PROBLEM}},
    }


def _add_examples(operation: dict, example: dict) -> None:
    if "request" in example:
        for content in operation.get("requestBody", {}).get("content", {}).values():
            content["examples"] = {"example": {"value": example["request"]}}
    for status, value in example.get("responses", {}).items():
        for media_type, content in operation["responses"].get(status, {}).get("content", {}).items():
            if media_type == "application/json":
                content["examples"] = {"example": {"value": value}}
