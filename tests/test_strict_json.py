"""JSON from outside is read whole or not at all."""

import json

import pytest

from annotation.strict_json import DEEPEST, NotJSON, read

pytestmark = pytest.mark.once

VALUE = {"a": [1, -2.5, "é", True, None, {"b": "\U0001f600"}], "c": 10**30, "d": 1e308}

REFUSED = {
    "nested without end": ("[" * 100_000, "inside each other"),
    "nested deep and closed": ("[" * 60_000 + "]" * 60_000, "inside each other"),
    "one too deep": ("[" * (DEEPEST + 1) + "1" + "]" * (DEEPEST + 1), "inside each other"),
    "objects too deep": ('{"a":' * 200 + "1" + "}" * 200, "inside each other"),
    "a name twice": ('{"a": 1, "b": 2, "a": 1}', "“a” is there twice"),
    "a name twice inside": ('[{"c": {"a": 1, "a": 1}}]', "“a” is there twice"),
    "half a name twice": (r'{"\ud800": 1, "\ud800": 2}', "“\ufffd” is there twice"),
    "not a number": ("[NaN]", "NaN is no number"),
    "infinity": ("-Infinity", "-Infinity is no number"),
    "larger than any": ('{"a": 1e999}', "the number 1e999 is too large"),
    "digits without end": ("9" * 5_000, "the number 99999999999999999999… is too large"),
    "a broken end": ('{"a": ', "Not valid JSON"),
    "a NUL": (r'["\u0000"]', "A NUL character"),
    "a NUL in a name": (r'{"\u0000": 1}', "A NUL character"),
    "half a character": (r'{"a": {"b": ["\ud83d"]}}', "Half of a character"),
}


def test_what_is_json_is_read_as_it_is():
    assert read(json.dumps(VALUE)) == VALUE
    assert read("[" * DEEPEST + "]" * DEEPEST) == json.loads("[" * DEEPEST + "]" * DEEPEST)
    assert read(r'"\ud83d\ude00"') == "\U0001f600"


@pytest.mark.parametrize("text, reason", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_taken_is_refused_with_its_reason(text, reason):
    with pytest.raises(NotJSON, match=".") as caught:
        read(text)
    assert reason in str(caught.value)
