"""Rows made from a blueprint are what the constructor would make, and COPY saves all that it may."""

import pytest
from django.db import connection

from annotation.actions import bulk
from annotation.models import Pair, Prompt, Response
from annotation.vocabulary import FinishReason, Intent
from tests.cast import a_study, an_arm

pytestmark = pytest.mark.django_db

MANY = bulk.FEWEST + 5


def values_of(row) -> dict:
    return {name: value for name, value in row.__dict__.items() if name not in ("_state", "created_at")}


def test_a_row_of_a_blueprint_is_one_of_the_constructor():
    study = a_study()
    values = {"key": "kite", "messages": [{"role": "user", "content": "How?"}], "intent": Intent.BENIGN}
    made, constructed = bulk.Blueprint(Prompt)({"study": study}, values), Prompt(study=study, **values)
    assert values_of(made) == values_of(constructed)
    assert made._state.adding and made.study is study
    made.save()
    assert values_of(Prompt.objects.get()) == values_of(made)


def test_many_rows_that_refer_to_each_other_are_saved_on_both_databases():
    study = a_study()
    arms = [an_arm(study, name, backend="") for name in ("one", "two")]
    prompt, response, pair = (bulk.Blueprint(model) for model in (Prompt, Response, Pair))
    prompts = [
        prompt({"study": study}, {"key": f"kite-{n}", "messages": [], "intent": Intent.BENIGN})
        for n in range(MANY)
    ]
    responses = [
        response(
            {"study": study, "prompt": one, "arm": arm},
            {"text": f"{one.key} by {arm.name}\t\\N\n", "finish_reason": FinishReason.IMPORTED},
        )
        for one in prompts
        for arm in arms
    ]
    numbers = {"overlap": 2, "open_slots": 2}
    pairs = [
        pair(
            {"study": study, "prompt": a.prompt, "response_a": a, "response_b": b},
            {"position": number, "place": number, **numbers},
        )
        for number, (a, b) in enumerate(zip(responses[::2], responses[1::2], strict=True))
    ]
    bulk.insert(prompts)
    bulk.refer_to_saved(responses, "prompt")
    bulk.insert(responses)
    bulk.refer_to_saved(pairs, "prompt", "response_a", "response_b")
    bulk.insert(pairs)
    kept = Pair.objects.select_related("prompt", "response_a", "response_b")
    assert len(kept) == MANY
    for one in kept:
        assert one.has_room and one.response_a.text == f"{one.prompt.key} by one\t\\N\n"
        assert (one.response_a.prompt, one.response_b.arm_id) == (one.prompt, arms[1].pk)
    assert connection.vendor != "postgresql" or Response.objects.filter(provenance={}).count() == 2 * MANY
