"""Pairs that wait for review, over JSON: why, and what to do with them."""

from dataclasses import asdict

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import tasks
from annotation.actions import reviewing
from annotation.actions.reviewing import MOST_AT_ONCE, Decided, Rescanned
from annotation.api.bases import ForResearchers, hinted
from annotation.api.paging import NumberedPages
from annotation.api.schema import PLAIN, a_list, an_object, says, shape_of
from annotation.api.serializers import OnlyKnownFields
from annotation.reports.review import Answer, MarkLine, Passage, ReviewedPair, Waiting, pair_in, reviewed
from annotation.vocabulary import MarkKind, ReviewDecision

LARGEST_KEY = 2**63 - 1


def pairs_field(**options) -> serializers.ListField:
    """Pairs by their `id` in the list."""
    key = serializers.IntegerField(min_value=1, max_value=LARGEST_KEY)
    return serializers.ListField(child=key, max_length=MOST_AT_ONCE, allow_empty=False, **options)


class PairsSerializer(OnlyKnownFields):
    """Pairs that were decided."""

    pairs = pairs_field()


class DecisionSerializer(OnlyKnownFields):
    """A decision about some pairs, or about all whose only mark is of one kind."""

    decision = serializers.ChoiceField(choices=ReviewDecision.choices)
    kind = serializers.ChoiceField(choices=MarkKind.choices, required=False)
    pairs = pairs_field(required=False)

    def validate(self, given: dict) -> dict:
        if ("pairs" in given) == ("kind" in given):
            raise serializers.ValidationError("Give “pairs” or “kind”, one of the two.")
        return given


class ListAsked(serializers.Serializer):
    """Which pairs a list is asked for."""

    kind = serializers.ChoiceField(choices=MarkKind.choices, required=False)
    decided = serializers.BooleanField(default=False)


MOMENT = {"type": ["string", "null"], "format": "date-time"}
ANSWER = an_object(
    "text",
    "shown",
    arm=str,
    finish_reason=str,
    length=int,
    passages=a_list(Passage),
    marks=a_list(MarkLine),
    replaced_at=MOMENT,
    earlier=a_list({"type": "object"}),
    text=str,
    shown={"type": ["string", "null"]},
)
REVIEWED = an_object(
    id=int,
    prompt_key=str,
    sample=int,
    state=str,
    decision=str,
    marks=a_list(MarkLine),
    a=ANSWER,
    b=ANSWER,
    closed=shape_of(dict[str, str]),
    withdraws=int,
    stands_because=str,
)
ADDRESS = {"type": ["string", "null"], "format": "uri"}
REVIEW_PAGE = an_object(
    count=int,
    next=ADDRESS,
    previous=ADDRESS,
    results=a_list(REVIEWED),
    kinds={"type": "object", "additionalProperties": an_object(pairs=int, alone=int)},
)
DECIDED = an_object(
    "left",
    "detail",
    done=int,
    pairs=a_list(int),
    refused=shape_of(dict[str, int]),
    run={"type": ["integer", "null"]},
    left=int,
    detail=PLAIN[str],
)
PAGE = [OpenApiParameter("page", int), OpenApiParameter("page_size", int)]


def pair_data(found: ReviewedPair) -> dict:
    """A pair of the list; `closed` holds what cannot be decided, with the reason."""
    pair = found.pair
    return {
        "id": pair.pk,
        "prompt_key": pair.prompt.key,
        "sample": pair.response_a.sample,
        "state": pair.state,
        "decision": pair.decision,
        "marks": [asdict(mark) for mark in found.marks],
        "a": _answer(found.a),
        "b": _answer(found.b),
        "closed": found.closed,
        "withdraws": found.withdraws,
        "stands_because": found.undo_closed if pair.decision else "",
    }


def _answer(answer: Answer) -> dict:
    """An answer with the passages about its marks; `length` counts the characters of its whole text."""
    return {
        "arm": answer.response.arm.name,
        "finish_reason": answer.response.finish_reason,
        "length": answer.length,
        "passages": [asdict(part) for part in answer.passages],
        "marks": [asdict(mark) for mark in answer.marks],
        "replaced_at": answer.response.replaced_at,
        "earlier": [_answer(old) for old in answer.earlier],
    }


class ReviewList(ForResearchers, APIView):
    @says(REVIEW_PAGE, parameters=[ListAsked, *PAGE])
    def get(self, request: Request, slug: str) -> Response:
        """Waiting pairs, with `?kind=` those with such a mark; with `?decided=1` those decided about.

        `kinds` counts the waiting pairs by kind, and those of them with no other mark.
        """
        study, asked = self.study(), ListAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        waiting = Waiting(study)
        keys = waiting.of_kind(asked.validated_data.get("kind", ""))
        if asked.validated_data["decided"]:
            keys = list(study.pairs.decided().order_by("position").values_list("pk", flat=True))
        pages = NumberedPages()
        page = pages.paginate_queryset(keys, request, self)
        answer = pages.get_paginated_response([pair_data(found) for found in reviewed(study, page)])
        answer.data["kinds"] = {
            count.kind: {"pairs": count.pairs, "alone": len(count.keys)} for count in waiting.kinds()
        }
        return answer


class ReviewDetail(ForResearchers, APIView):
    @says(REVIEWED)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """One pair, with the whole texts as they are (`text`) and as raters read them where that differs."""
        study = self.study()
        found = reviewed(study, [pair_in(study, pk).pk])[0]
        data = pair_data(found)
        for side, answer, shown in (
            ("a", found.a, found.pair.shown_a),
            ("b", found.b, found.pair.shown_b),
        ):
            data[side] |= {"text": answer.response.text, "shown": shown}
        return Response(data)


class Decide(ForResearchers, APIView):
    @says(DECIDED, 200, DecisionSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Show, mask, regenerate or drop. Pairs that could not be are counted in `refused` by reason."""
        study, asked = self.study(), DecisionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        keys = given["pairs"] if "pairs" in given else Waiting(study).only_of_kind(given["kind"])
        decided = reviewing.decide(study, keys[:MOST_AT_ONCE], given["decision"], request.user)
        told = hinted(tasks.hint, decided.run) if decided.run else {}
        return Response({**_told(decided), "left": max(0, len(keys) - MOST_AT_ONCE), **told})


class TakeBack(ForResearchers, APIView):
    @says(DECIDED, 200, PairsSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Have decided pairs wait again, as long as nobody was given one."""
        study, asked = self.study(), PairsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(_told(reviewing.take_back(study, asked.validated_data["pairs"], request.user)))


class Rescan(ForResearchers, APIView):
    @says(Rescanned)
    def post(self, request: Request, slug: str) -> Response:
        """Look again at pairs that this version of the scanner has not seen."""
        return Response(asdict(reviewing.rescan(self.study(), request.user)))


def _told(decided: Decided) -> dict:
    run = decided.run and decided.run.pk
    return {"done": decided.done, "pairs": decided.pairs, "refused": decided.refused, "run": run}
