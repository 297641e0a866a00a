"""Pairs that wait for review, over JSON: why, and what to do with them."""

from dataclasses import asdict

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import tasks
from annotation.actions import reviewing
from annotation.actions.reviewing import MOST_AT_ONCE, Decided
from annotation.api.serializers import OnlyKnownFields
from annotation.api.views import ForResearchers, Pages, hinted
from annotation.reports.review import Answer, ReviewedPair, Waiting, pair_in, reviewed
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
        pages = Pages()
        page = pages.paginate_queryset(keys, request, self)
        answer = pages.get_paginated_response([pair_data(found) for found in reviewed(study, page)])
        answer.data["kinds"] = {
            count.kind: {"pairs": count.pairs, "alone": len(count.keys)} for count in waiting.kinds()
        }
        return answer


class ReviewDetail(ForResearchers, APIView):
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
    def post(self, request: Request, slug: str) -> Response:
        """Have decided pairs wait again, as long as nobody was given one."""
        study, asked = self.study(), PairsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(_told(reviewing.take_back(study, asked.validated_data["pairs"], request.user)))


class Rescan(ForResearchers, APIView):
    def post(self, request: Request, slug: str) -> Response:
        """Look again at pairs that this version of the scanner has not seen."""
        return Response(asdict(reviewing.rescan(self.study(), request.user)))


def _told(decided: Decided) -> dict:
    run = decided.run and decided.run.pk
    return {"done": decided.done, "pairs": decided.pairs, "refused": decided.refused, "run": run}
