"""No family of prompts, and no prompt's words, stand in two parts."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_runtime.training.rows import spoken_digest
from tests.datasets.written import Written, make

pytestmark = pytest.mark.once

WORDS = ["How do kites fly?", "how do  KITES fly?", "Why is it dark?", "What floats", "WHAT floats", "Who?"]
FAMILIES = ["", "kites", "night", "boats"]
PROMPTS = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(FAMILIES)), min_size=1, max_size=12)


def same_words(row: dict) -> str:
    return " ".join(row["prompt"][0]["content"].casefold().split())


@settings(max_examples=40)
@given(PROMPTS, st.integers(0, 50), st.floats(0.1, 0.45), st.floats(0.1, 0.45))
def test_nothing_leaks_from_one_part_into_another(prompts, seed, test, validation):
    study = Written()
    for number, (words, family) in enumerate(prompts):
        study.judgment(study.pair(f"p{number}", words=words, family=family), balance=1)
    with tempfile.TemporaryDirectory() as folder:
        rules = {"split_seed": seed, "test_share": test, "validation_share": validation, "duplicates": "keep"}
        rows, _ = make(study.freeze(Path(folder) / "s"), Path(folder) / "o", "trl_preference", **rules)
    assert len(rows) == len(prompts)
    for one in rows:
        for other in rows:
            if same_words(one) == same_words(other) or (one["family"] and one["family"] == other["family"]):
                assert one["split"] == other["split"]


def test_a_family_stays_where_it_is_when_the_study_grows(tmp_path):
    parts = []
    for prompts in (10, 40):
        study = Written()
        for number in range(prompts):
            study.judgment(study.pair(f"p{number}", family=f"f{number % 9}"), balance=1)
        snapshot = study.freeze(tmp_path / f"s{prompts}")
        rows, _ = make(snapshot, tmp_path / f"o{prompts}", "trl_preference")
        parts.append({row["prompt_key"]: row["split"] for row in rows})
    assert parts[0].items() <= parts[1].items()


ALIKE = {
    "marks": (("Is “it” safe?", ""), ("Is it safe", "")),
    "a hidden sign": (("Is it safe?", ""), ("Is it s\u00adafe?", "")),
    "a mark that nobody sees": (("Is it safe?", ""), ("Is it safe\ufe0f?", "")),
    "wide letters": (("Is it safe?", ""), ("Ｉｓ it safe?", "")),
    "a family's case": (("Why?", "Kites"), ("How?", "kites")),
    "a family's blanks": (("Why?", "red kites"), ("How?", "Red  kites")),
}


@pytest.mark.parametrize(
    ("one", "other"),
    [("What is C++?", "What is C?"), ("कि", "का"), ("ที่", "ทา"), ("Is $5 much?", "Is 5 much?"), ("½", "2")],
)
def test_signs_and_vowels_that_are_read_tell_prompts_apart(one, other):
    digests = {spoken_digest([{"role": "user", "content": text}]) for text in (one, other)}
    assert len(digests) == 2


@pytest.mark.parametrize("alike", ALIKE.values(), ids=ALIKE)
def test_what_differs_in_writing_alone_is_never_parted(tmp_path, alike):
    study = Written()
    for number, (words, family) in enumerate([*alike, ("???", ""), ("!!!", "")]):
        study.judgment(study.pair(f"p{number}", words=words, family=family), balance=1)
    snapshot = study.freeze(tmp_path / "s")
    parted = set()
    for seed in range(12):
        rows, _ = make(snapshot, tmp_path / f"o{seed}", "trl_preference", split_seed=seed)
        one, other, *signs = (row["split"] for row in sorted(rows, key=lambda row: row["prompt_key"]))
        assert one == other
        parted.add(len({one, *signs}))
    assert parted > {1}  # signs alone are not the same words as other signs
