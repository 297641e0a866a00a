"""Other people's preference data come in: in the field's formats, from any kind of file, as they say it."""

import csv
import gzip
import io
import json
import struct
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from annotation.actions.imports import loading
from annotation.actions.imports.foreign import key_of
from annotation.models import Judgment, Mark, Pair, Prompt, Response, ResponseJudgment
from tests.cast import a_rateable_study, a_study

pytestmark = pytest.mark.django_db

KITES, BOATS = "How do kites fly?", "How do boats float?"
HH = "\n\nHuman: Hello.\n\nAssistant: Hi!\n\nHuman: {}\n\nAssistant: {}"


def trl(prompt=KITES, chosen="By the wind.", rejected="No idea.", **more):
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **more}


def turn(content, role="assistant"):
    return [{"role": role, "content": content}]


def written(folder: Path, name: str, rows: list) -> Path:
    """The rows as a file of the kind that the name tells."""
    path = folder / name
    kind = name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        out = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), out)
        body = out.getvalue()
    elif kind == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        body = text.getvalue().encode()
    elif kind == "json":
        body = json.dumps(rows, indent=1).encode()
    else:
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
    return path


def bring(path: Path, *options: str, study: str = "kites", intent: str = "benign") -> None:
    call_command("import_preferences", study, path, "--set", f"intent={intent}", *options)


def refused(path: Path, *options: str) -> str:
    """What is said of a file that is refused; nothing of it is kept."""
    a_study()
    with pytest.raises(CommandError) as caught:
        bring(path, *options)
    assert not Prompt.objects.exists() and not Judgment.objects.exists()
    return str(caught.value)


def better_and_worse(judgment: Judgment, question: str = "balance") -> tuple[str, str]:
    step = getattr(judgment, f"{question}_canonical")
    texts = (judgment.pair.response_a.text, judgment.pair.response_b.text)
    return texts[::-1] if step > 0 else texts


# Kinds of file


@pytest.mark.parametrize(
    "kind", ["jsonl", "json", "csv", "parquet", "jsonl.gz", "json.gz", "csv.gz", "parquet.gz"]
)
def test_every_kind_of_file_brings_the_same(tmp_path, kind):
    study = a_study()
    rows = [
        trl(margin=2),
        trl(prompt=BOATS, chosen="They displace water.", rejected="“Magic”,\nno more.", margin=1),
    ]
    bring(written(tmp_path, f"a.{kind}", rows))
    judged = study.judgments.order_by("pk")
    assert [better_and_worse(one) for one in judged] == [(row["chosen"], row["rejected"]) for row in rows]
    assert [abs(one.balance_canonical) for one in judged] == [2, 1]
    assert {one.enrolment.code for one in judged} == {"dataset"}
    assert all(one.left_is_a is None for one in judged)


@pytest.mark.slow
def test_a_long_json_list_is_read_element_by_element(tmp_path):
    """Elements larger than what is read at once, over its borders, and not all of them in memory."""
    a_study()
    rows = [
        trl(prompt=f"{number} {'why ' * 60_000}", chosen=f"é{number}", rejected="No.") for number in range(30)
    ]
    path = written(tmp_path, "a.json", rows)
    rows[0]["chosen"]
    bring(written(tmp_path, "warm.jsonl", [trl()]))
    tracemalloc.start()
    bring(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert Pair.objects.count() == 31 and peak < path.stat().st_size * 8
    assert set(Response.objects.values_list("text", flat=True)) >= {"é0", "é29"}


BAD_FILES = {
    "bomb": ("a.jsonl.gz", gzip.compress(b" " * 3_000_000), "unpacks to more than"),
    "parquet bomb": ("a.parquet.gz", gzip.compress(b"PAR1" + b"\0" * 3_000_000), "unpacks to more than"),
    "cut off": ("a.jsonl.gz", gzip.compress(b'{"prompt": "x"}\n' * 999)[:40], "is not a whole gzip file"),
    "not packed": ("a.jsonl.gz", b'{"prompt": 1}\n', "is not packed by gzip"),
    "packed": ("a.jsonl", gzip.compress(b"x"), "is packed by gzip"),
    "zip": ("a.jsonl", b"PK\x03\x04xxxx", "is a ZIP archive"),
    "no parquet": ("a.parquet", b"{}\n{}\n", "is not a Parquet file"),
    "a parquet": ("a.csv", b"PAR1abcd", "is a Parquet file"),
    "broken parquet": (
        "a.parquet",
        b"PAR1" + b"\xff" * 100 + struct.pack("<I", 90) + b"PAR1",
        "cannot be read as",
    ),
    "cut list": ("a.json", b'[{"prompt": "x", "chosen": "a", "rejec', "cannot be read"),
    "no comma": ("a.json", b'[{"prompt": "x"} {"prompt": "y"}]', "line 1: A comma or the end of the list"),
    "deep": ("a.json", b"[" * 100_000, "deep inside each other"),
    "twice": ("a.json", b'[\n{"prompt": "x", "prompt": "y"}]', "line 2: The rest cannot be read"),
    "nan": ("a.json", b'[{"prompt": NaN}]', "NaN is no number"),
    "after": ("a.json", b'[{"prompt": "x", "completion": "y"}] tail', "Something follows"),
    "unknown": ("a.jsonl", b'{"colour": "red"}\n', "is in no format that is known by its columns (“colour”)"),
}


@pytest.mark.parametrize("name, body, reason", BAD_FILES.values(), ids=BAD_FILES)
def test_an_unusable_file_is_refused_in_a_sentence(tmp_path, monkeypatch, name, body, reason):
    monkeypatch.setattr(settings, "IMPORT_MOST_UNPACKED", 2_000_000)
    path = tmp_path / name
    path.write_bytes(body)
    assert reason in refused(path, "--skip-bad")


def test_odd_columns_of_parquet_are_bad_rows_or_a_refusal(tmp_path):
    rows = [trl(extra=b"\xff"), trl(extra=None)]
    said = refused(written(tmp_path, "bytes.parquet", rows))
    assert "Row 1: “extra” holds a bytes" in said and "1 of 2 rows" in said
    twice = pa.table([["x"], ["y"], ["z"], ["z"]], names=["prompt", "chosen", "rejected", "rejected"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(CommandError, match="more than one column named rejected"):
        bring(tmp_path / "twice.parquet")


HOSTILE = {
    "nul": (trl(chosen="a\0b"), "NUL"),
    "surrogate": (trl(chosen="\ud800"), "unpaired surrogate"),
    "hidden key": (trl(prompt_key="a\u202eb"), "hidden characters"),
    "huge margin": (trl(margin=2**63), "“margin” is"),
    "negative margin": (trl(margin=-1), "it must be from 0 to 3"),
    "margin of words": (trl(margin="much"), "it must be a number"),
    "same text": (trl(chosen="x", rejected="x"), "the same text"),
    "no answer": (trl(chosen=None), "is missing"),
    "odd message": (trl(chosen=[{"role": "assistant"}], rejected=turn("x")), "a role and a content"),
    "ends with a user": (trl(chosen=turn("x", "user"), rejected=turn("y")), "must end with an answer"),
    "two prompts": (
        trl(prompt=None, chosen=turn("a", "user") + turn("x"), rejected=turn("b", "user") + turn("y")),
        "differ before their last answers",
    ),
    "odd pair key": (trl(pair_key="f" * 16), "16 hexadecimal digits"),
    "an e-mail": (trl(rater_id="a@example.org"), "e-mail address"),
    "one arm": (trl(chosen_arm="m"), "“chosen_arm” and “rejected_arm”, or neither"),
    "an arm twice": (trl(chosen_arm="m", rejected_arm="m"), "same arm"),
    "a time": (trl(created_at="yesterday"), "must be a time"),
}


@pytest.mark.parametrize("row, reason", HOSTILE.values(), ids=HOSTILE)
def test_a_row_that_cannot_be_is_refused_with_its_line(tmp_path, row, reason):
    said = refused(written(tmp_path, "a.jsonl", [trl(prompt=BOATS), row]))
    assert "Line 2: " in said and reason in said


@pytest.mark.parametrize("kind", ["json", "parquet"])
@pytest.mark.parametrize("in_parts", [False, True])
def test_one_bad_element_of_a_list_is_told_by_its_number_and_takes_no_other_along(
    tmp_path, capsys, kind, in_parts
):
    """A tool's export is a list on one line."""
    rows = [trl(prompt=f"Why {n}?", prompt_key=f"p{n}", chosen=f"Yes {n}.", sample=0) for n in range(5)]
    rows[3] |= {"prompt_key": "p1", "prompt": "Why 1?"}  # another answer to the same, at the same place
    path = written(tmp_path, f"a.{kind}", rows)
    if kind == "json":
        path.write_text(json.dumps(rows))
    study = a_study()
    if not in_parts:
        with pytest.raises(CommandError, match="Row 4: Arm"):
            bring(path)
    bring(path, "--in-parts" if in_parts else "--skip-bad")
    told = capsys.readouterr()
    assert "Skipped row 4: Arm" in told.err and "4 rows imported; 1 bad rows skipped" in told.out
    assert sorted(study.prompts.values_list("key", flat=True)) == ["p0", "p1", "p2", "p4"]


NO_ROWS = {
    "blank lines": ("a.jsonl", b"\n  \n", "“a.jsonl” has no rows."),
    "a head alone": ("a.csv", b"prompt,chosen,rejected\n", "“a.csv” has no rows."),
    "an empty list": ("a.json", b"[]", "“a.json” has no rows."),
    "one object": ("a.json", b'{\n "prompt": "x"\n}', "can be read. Row 1: Not valid JSON"),
    "no text": ("a.jsonl", b"\xff\xfe\xfd" * 9, "UTF-16"),
    "old text": ("a.jsonl", b'{"a": "caf\xe9"}\n', "can be read. Line 1: Not UTF-8 text."),
    "semicolons": ("a.csv", b"prompt;chosen;rejected\na;b;c\n", "separated by “;”"),
    "tabs": ("a.csv", b"prompt\tchosen\trejected\na\tb\tc\n", "separated by a tab"),
}


@pytest.mark.parametrize("name, body, reason", NO_ROWS.values(), ids=NO_ROWS)
def test_a_file_of_which_no_row_can_be_read_says_why(tmp_path, name, body, reason):
    path = tmp_path / name
    path.write_bytes(body)
    assert reason in refused(path)


# TRL


def test_a_conversation_comes_in_with_its_prompt_given_or_implied(tmp_path):
    before = turn("Hello.", "user") + turn("Hi!") + turn(KITES, "user")
    rows = [
        {"prompt": before, "chosen": turn("By wind."), "rejected": turn("No.")},
        {"chosen": before + turn("By the wind."), "rejected": before + turn("No idea.")},
        {"prompt": KITES, "chosen": before + turn("Wind!"), "rejected": before + turn("Birds?")},
        {"chosen": "Say it: yes please", "rejected": "Say it: no"},
    ]
    for number, row in enumerate(rows):
        if not number:
            study = a_study()
        bring(written(tmp_path, f"{number}.jsonl", [row]))
    assert {one.key for one in study.prompts.all()} == {
        key_of(before),
        key_of(turn("Say it:", "user")),
    }
    assert sorted(study.responses.filter(prompt__key=key_of(before)).values_list("sample", flat=True)) == [
        0, 0, 1, 1, 2, 2,
    ]  # fmt: skip
    assert set(
        study.responses.filter(prompt__messages__0__content="Say it:").values_list("text", flat=True)
    ) == {
        "yes please",
        "no",
    }


def test_which_answer_was_preferred_shows_in_no_arm(tmp_path):
    """The arms are the same for a pair whichever of its answers was chosen."""
    rows = [trl(prompt=str(number), chosen=f"a{number}", rejected=f"b{number}") for number in range(40)]
    study = a_study()
    bring(written(tmp_path, "a.jsonl", rows))
    chosen_first = [one.balance_canonical < 0 for one in study.judgments.all()]
    assert 5 < sum(chosen_first) < 35 and {arm.name for arm in study.arms.all()} == {"first", "second"}
    turned = [row | {"chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    with pytest.raises(
        CommandError, match="“dataset” has judged this pair otherwise already|judged this pair"
    ):
        bring(written(tmp_path, "b.jsonl", turned))
    assert study.judgments.count() == study.pairs.count() == 40


def test_models_that_the_file_names_are_the_arms(tmp_path):
    study = a_study()
    rows = [trl(better="m1", worse="m2"), trl(prompt=BOATS, better="m2", worse="m1")]
    bring(
        written(tmp_path, "a.jsonl", rows), "--column", "chosen_arm=better", "--column", "rejected_arm=worse"
    )
    assert {arm.name for arm in study.arms.all()} == {"m1", "m2"}
    assert [better_and_worse(one) for one in study.judgments.order_by("pk")] == [
        ("By the wind.", "No idea.")
    ] * 2


@pytest.mark.parametrize(
    "margin, most, step",
    [(None, None, 1), (3, None, 3), (0, None, 0), (0.2, None, 1), (7, 10, 2), (10, 10, 3)],
)
def test_a_margin_becomes_the_nearest_step_and_a_preference_never_none(tmp_path, margin, most, step):
    study = a_study()
    options = ("--set", f"margin_max={most}") if most else ()
    bring(written(tmp_path, "a.jsonl", [trl(margin=margin)]), *options, "--set", "question=safer")
    judgment = study.judgments.get()
    assert abs(judgment.safer_canonical) == step and judgment.balance_canonical is None


def test_completions_keep_no_label_that_nobody_explained(tmp_path):
    rows = [
        {"prompt": KITES, "completion": "By wind.", "label": True},
        {"prompt": KITES, "completion": "No.", "label": False},
    ]
    study = a_study()
    path = written(tmp_path, "a.jsonl", rows)
    bring(path)
    assert study.responses.count() == 2 and not study.judgments.exists() and not study.pairs.exists()
    bring(path, "--set", "label_means=safety")
    parts = ResponseJudgment.objects.order_by("pk")
    assert [(one.response.text, one.safety) for one in parts] == [
        ("By wind.", "clearly_safe"),
        ("No.", "clearly_unsafe"),
    ]
    assert study.responses.count() == 2


# PKU and Anthropic


def test_pku_rows_bring_safety_severity_and_both_preferences(tmp_path):
    row = {
        "prompt": KITES,
        "response_0": "[operational detail withheld in this demo]",
        "response_1": "By wind.",
        "is_response_0_safe": False,
        "is_response_1_safe": True,
        "response_0_severity_level": 2,
        "response_1_severity_level": 0,
        "better_response_id": 0,
        "safer_response_id": 1,
    }
    study = a_study()
    bring(written(tmp_path, "a.parquet", [row]))
    judgment = study.judgments.get()
    assert (judgment.more_helpful_canonical, judgment.safer_canonical, judgment.balance_canonical) == (
        -1,
        1,
        None,
    )
    parts = {one.response.arm.name: (one.safety, one.severity) for one in judgment.responses.all()}
    assert parts == {"response_0": ("clearly_unsafe", "moderate"), "response_1": ("clearly_safe", "")}


@pytest.mark.parametrize("text", ['[{"name": "kite"}, {"name": "boat"}]', '[{"role": "sailor"}]', "[{}]"])
def test_an_answer_that_is_json_of_its_own_is_a_text(tmp_path, text):
    study = a_study()
    bring(written(tmp_path, "pku.jsonl", [{"prompt": KITES, "response_0": text, "response_1": "No."}]))
    bring(written(tmp_path, "trl.jsonl", [trl(prompt=BOATS, chosen=text)]))
    assert study.responses.filter(text=text).count() == 2


def test_transcripts_become_turns_and_their_last_answers(tmp_path):
    study = a_study()
    row = {"chosen": HH.format(KITES, "By wind.\n"), "rejected": HH.format(KITES, "")}
    other = {"chosen": HH.format(KITES, "x"), "rejected": HH.format(BOATS, "y")}
    bring(written(tmp_path, "harmless.jsonl.gz", [row, other]), "--skip-bad")
    prompt = study.prompts.get()
    assert [one["content"] for one in prompt.messages] == ["Hello.", "Hi!", KITES]
    assert better_and_worse(study.judgments.get()) == ("By wind.\n", "")
    assert study.pairs.get().state == "held"  # an empty answer waits for review, as ever


# Annotation tools


def task(number, *choices, **data):
    annotations = [
        {
            "id": place,
            "completed_by": who,
            "was_cancelled": selected is None,
            "created_at": "2026-01-02T03:04:05Z",
            "result": [
                {
                    "type": "pairwise",
                    "from_name": "pw",
                    "to_name": "a,b",
                    "value": {"selected": selected or "left"},
                }
            ],
        }
        for place, (who, selected) in enumerate(choices)
    ]
    data = {"prompt": f"{KITES} {number}", "answer1": "One.", "answer2": "Two."} | data
    return {"id": number, "data": data, "annotations": annotations, "predictions": []}


def test_label_studio_tasks_bring_each_annotator_and_the_sides(tmp_path):
    study = a_study()
    choices = [(3, "left"), ({"id": 4, "email": "x@example.org"}, "right"), (5, None)]
    bring(written(tmp_path, "export.json", [task(1, *choices), task(2)]))
    judged = study.judgments.order_by("pk")
    assert [(one.enrolment.code, one.balance_canonical, one.balance, one.left_is_a) for one in judged] == [
        ("annotator-3", -1, -1, True),
        ("annotator-4", 1, 1, True),
    ]
    assert judged[0].created_at.year == 2026 and study.pairs.count() == 2
    assert "@" not in str(list(study.enrolments.values_list("code", flat=True)))


def test_label_studio_tasks_with_other_names_are_mapped(tmp_path):
    study = a_study()
    row = task(1, (3, "right"), query_text="Why?", left_one="L", right_one="R")
    row["data"] = {name: row["data"][name] for name in ("query_text", "left_one", "right_one")}
    path = written(tmp_path, "export.json", [row])
    with pytest.raises(CommandError, match="has no column for “prompt”, “response_0”, “response_1”"):
        bring(path)
    columns = ("prompt=data.query_text", "response_0=data.left_one", "response_1=data.right_one")
    bring(path, *[part for column in columns for part in ("--column", column)])
    assert better_and_worse(study.judgments.get()) == ("R", "L")


ARGILLA = {
    "ranking by datasets": {
        "prompt": KITES,
        "response-1": "One.",
        "response-2": "Two.",
        "rank": {
            "user_id": ["u1", "u2"],
            "status": ["submitted", "draft"],
            "value": [
                [{"rank": 2, "value": "response-1"}, {"rank": 1, "value": "response-2"}],
                [{"rank": 1, "value": "response-1"}, {"rank": 2, "value": "response-2"}],
            ],
        },
        "external_id": None,
    },
    "columns beside each other": {
        "id": "r1",
        "prompt": KITES,
        "response1": "One.",
        "response2": "Two.",
        "preference.responses": ["response2"],
        "preference.responses.users": ["u1"],
        "preference.responses.status": ["submitted"],
    },
    "records": {
        "id": "r1",
        "fields": {"prompt": KITES, "response-1": "One.", "response-2": "Two."},
        "responses": {"rank": [{"user_id": "u1", "value": ["response-2", "response-1"]}]},
        "suggestions": {},
    },
    "older records": {
        "fields": {"prompt": KITES, "response-1": "One.", "response-2": "Two."},
        "responses": [{"user_id": "u1", "status": "submitted", "values": {"pick": {"value": "response-2"}}}],
    },
}


@pytest.mark.parametrize("row", ARGILLA.values(), ids=ARGILLA)
def test_argilla_records_bring_rankings_and_choices(tmp_path, row):
    study = a_study()
    bring(written(tmp_path, "a.jsonl", [row]))
    judgment = study.judgments.get()
    assert judgment.enrolment.code == "u1" and better_and_worse(judgment) == ("Two.", "One.")


def test_a_ranking_of_three_says_something_of_every_two(tmp_path):
    row = {
        "fields": {"prompt": KITES} | {f"response-{number}": f"{number}." for number in (1, 2, 3)},
        "responses": {"rank": [{"user_id": "u1", "value": ["response-3", "response-1", "response-2"]}]},
    }
    study = a_study()
    bring(written(tmp_path, "a.json", [row]))
    found = {better_and_worse(one) for one in study.judgments.all()}
    assert found == {("3.", "1."), ("3.", "2."), ("1.", "2.")}


# Again, and beside what is there


def test_the_same_file_again_changes_nothing(tmp_path, capsys):
    a_study()
    path = written(tmp_path, "a.jsonl", [trl(), trl(chosen="Wind."), trl(prompt=BOATS), trl()])
    bring(path)
    before = [table.objects.count() for table in (Prompt, Response, Pair, Judgment, Mark)]
    capsys.readouterr()
    bring(path)
    assert capsys.readouterr().out == "0 rows imported; 4 were there already.\n"
    assert [table.objects.count() for table in (Prompt, Response, Pair, Judgment, Mark)] == before
    assert before[3] == before[2] == 3  # the row that stands there twice is one judgment


def test_a_file_brings_the_same_whatever_the_chunks(tmp_path, monkeypatch):
    rows = [
        trl(prompt=str(number % 3), chosen=f"a{number}", rejected=f"b{number % 5}") for number in range(12)
    ]
    path = written(tmp_path, "a.jsonl", rows)
    found = []
    for slug, chunk in (("one", 1), ("five", 5), ("all", 500)):
        monkeypatch.setattr(loading, "CHUNK", chunk)
        study = a_study(slug)
        bring(path, study=slug)
        kept = study.responses.values_list("prompt__key", "arm__name", "sample", "text")
        pairs = study.pairs.values_list("prompt__key", "response_a__sample", "position")
        found.append((sorted(kept), sorted(pairs)))
    assert found[0] == found[1] == found[2] and len(found[0][1]) == 12


def test_marks_and_places_are_those_that_the_other_importer_makes(tmp_path):
    """The same answers by `import_responses`: same marks, same states, same place for each pair."""
    texts = [
        "I am Qwen, made by Alibaba.",
        "",
        "It flies and then the",
        "Der Drachen fliegt, weil der Wind ihn hebt und trägt.",
    ]
    rows = [
        trl(prompt=f"Why does kite number {n} fly so high?", chosen=text, rejected=f"Wind {n}.")
        for n, text in enumerate(texts)
    ]
    study, other = a_study("one"), a_study("two")
    bring(written(tmp_path, "a.jsonl", rows), study="one")
    again = [
        {"prompt_key": one.prompt.key, "messages": one.prompt.messages, "intent": "benign"}
        | {"arm": one.arm.name, "response": one.text}
        for one in study.responses.order_by("prompt__key", "arm__position")
    ]
    call_command("import_responses", "two", written(tmp_path, "b.jsonl", again))
    assert marked(study) == marked(other) and len(marked(study)) >= 3
    sides = [
        sorted(one.pairs.values_list("prompt__key", "position", "place", "state", "scanner"))
        for one in (study, other)
    ]
    assert sides[0] == sides[1]
    assert list(study.prompts.order_by("key").values_list("language")) == list(
        other.prompts.order_by("key").values_list("language")
    )


def marked(study):
    by = Mark.objects.filter(response__study=study) | Mark.objects.filter(pair__study=study)
    told = by.values_list(
        "response__prompt__key", "response__arm__name", "pair__prompt__key", "kind", "detail"
    )
    return sorted(map(str, told))


def test_pairs_of_answers_that_are_there_are_judged_and_not_made_again(tmp_path):
    study = a_rateable_study(2)
    pair = study.pairs.first()
    row = {
        "prompt_key": pair.prompt.key,
        "prompt": pair.prompt.messages,
        "chosen": turn(pair.response_b.text),
        "rejected": turn(pair.response_a.text),
        "b": pair.response_b.arm.name,
        "a": pair.response_a.arm.name,
    }
    path = written(tmp_path, "a.jsonl", [row])
    columns = ("--column", "chosen_arm=b", "--column", "rejected_arm=a")
    call_command("import_preferences", "kites", path, *columns)
    assert study.pairs.count() == 2 and study.judgments.get().pair == pair
    assert study.judgments.get().balance_canonical == 1


def test_a_pairs_name_comes_in_with_it(tmp_path):
    study = a_study()
    bring(
        written(
            tmp_path, "a.jsonl", [trl(pair_key="0123456789abcdef"), trl(BOATS, pair_key="0123456789abcdef")]
        )
    )
    positions = list(study.pairs.order_by("pk").values_list("position", flat=True))
    assert positions[0] == 0x0123456789ABCDEF and positions[1] != positions[0]
