"""Responses and judgments come in from files: all of a file, or nothing of it."""

import csv
import itertools
import json
import os
import re
import shlex
import time
import tracemalloc
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError

from annotation.actions.imports import files, loading, responses
from annotation.actions.imports.mapping import matches
from annotation.models import Event, Judgment, Pair, Prompt, Response, ResponseJudgment, Study, User
from annotation.reports.agreement import agreement_report
from annotation.stats.agreement import krippendorff_alpha, raw_agreement
from annotation.stats.ratings import Ratings
from tests.cast import ARMS, a_rateable_study, a_rater, a_study, alice, an_arm, bob, person

pytestmark = pytest.mark.django_db

XSTEST = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "xstest"
A, B = ARMS


def jsonl(folder, *rows, name="rows.jsonl"):
    path = folder / name
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def text_file(folder, text, name="rows.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def answer(key="k", arm="one", response="Yes.", **more):
    return {"prompt_key": key, "prompt": "Why?", "intent": "benign", "arm": arm, "response": response} | more


def about_response(rater="r1", key="kites-0", arm=A, **more):
    return {"prompt_key": key, "arm": arm, "rater_id": rater, "mode": "hard_refusal"} | more


def about_pair(rater="r1", key="kites-0", arm_a=A, arm_b=B, **more):
    return {"prompt_key": key, "arm_a": arm_a, "arm_b": arm_b, "rater_id": rater} | more


def refusal(command, study, path, *options):
    """What the command says when it refuses the file, after a look that it left the tables as they were."""
    before = counts()
    with pytest.raises(CommandError) as caught:
        call_command(command, getattr(study, "slug", study), path, *options)
    assert counts() == before
    return str(caught.value)


def counts():
    tables = (Study, Prompt, Response, Pair, Judgment, ResponseJudgment, Event)
    return [table.objects.count() for table in tables]


# Responses


def test_jsonl_brings_prompts_arms_responses_and_pairs(tmp_path):
    study = a_study()
    rows = [answer(arm=arm, subset=["x", "y"], family="f", harm_category="hate") for arm in ("one", "two")]
    call_command("import_responses", "kites", jsonl(tmp_path, *rows))
    prompt = study.prompts.get()
    assert prompt.messages == [{"role": "user", "content": "Why?"}]
    assert (prompt.intent, prompt.subset, prompt.family) == ("benign", ["x", "y"], "f")
    assert [arm.generates for arm in study.arms.all()] == [False, False]
    assert study.pairs.get().response_b.arm.name == "two"


def test_csv_fields_may_hold_line_ends_quotes_and_commas(tmp_path):
    study, told = a_study(), 'He said "no",\r\nthen\nleft; '
    path = tmp_path / "rows.CSV"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, [*answer(), "subset"])
        writer.writeheader()
        writer.writerow(answer(response=told, subset="x; y"))
    call_command("import_responses", "kites", path)
    assert study.responses.get().text == told
    assert study.prompts.get().subset == ["x", "y"]


def test_messages_are_a_list_in_jsonl_and_json_in_csv(tmp_path):
    study = a_study()
    turns = [{"role": role, "content": role} for role in ("system", "user", "assistant", "user")]
    row = answer(key="one", messages=turns)
    del row["prompt"]
    call_command("import_responses", "kites", jsonl(tmp_path, row))
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row | {"prompt_key": "two", "messages": json.dumps(turns)})
    call_command("import_responses", "kites", path)
    assert [prompt.messages for prompt in study.prompts.all()] == [turns, turns]


def test_a_language_is_taken_or_found_out(tmp_path):
    study = a_study("fresh")
    german = answer("a", prompt="Wie lagere ich Reinigungsmittel sicher?")
    call_command(
        "import_responses", "fresh", jsonl(tmp_path, german, answer("b", language="pt-BR"), answer("c"))
    )
    assert list(study.prompts.values_list("key", "language")) == [("a", "de"), ("b", "pt-BR"), ("c", "")]
    odd = jsonl(tmp_path, answer("d", language="Klingon, I think"))
    assert "“Klingon, I think” is no language tag" in refusal("import_responses", study, odd)
    other = jsonl(tmp_path, answer("b", language="pt"))
    assert "has another language already (pt-BR, not pt)" in refusal("import_responses", study, other)


def test_an_empty_answer_is_an_answer(tmp_path):
    study = a_study()
    call_command("import_responses", "kites", jsonl(tmp_path, answer(response="")))
    assert study.responses.get().text == ""


def test_the_same_file_twice_changes_nothing_and_says_so(tmp_path, capsys):
    a_study()
    path = jsonl(tmp_path, answer(), answer(arm="two"))
    call_command("import_responses", "kites", path)
    before = counts()
    call_command("import_responses", "kites", path)
    assert counts() == before
    assert "0 responses imported; 2 were there already." in capsys.readouterr().out


def test_no_pairs_makes_none_and_a_second_import_makes_them(tmp_path):
    study, path = a_study(), jsonl(tmp_path, answer(), answer(arm="two"))
    call_command("import_responses", "kites", path, "--no-pairs")
    assert not study.pairs.exists()
    call_command("import_responses", "kites", path)
    assert study.pairs.count() == 1


def test_columns_values_and_constants_fit_a_foreign_file(tmp_path, capsys):
    study = a_study()
    path = text_file(tmp_path, "id,model,text,kind,gold\n7,m=1,Oh!,contrast_x,1\n8,m=1,Oh!,x,1\n")
    options = ["prompt_key=id", "arm=model", "response=text", "intent=kind", "prompt=id"]
    values = ["intent:contrast_*=malicious", "intent:*=benign", "arm:m=1=one"]
    call_command(
        "import_responses", "kites", path, column=options, value=values, set=["subset=a;b", "sample=2"]
    )
    assert list(study.prompts.values_list("key", "intent")) == [("7", "malicious"), ("8", "benign")]
    assert study.prompts.first().subset == ["a", "b"]
    assert study.responses.first().sample == 2 and study.arms.get().name == "one"
    assert "Columns not used: gold." in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "a", "ab", "aab", "aba", "abab", "abcab", "a\nb", "*", "b.a", "abba"])
def test_a_pattern_matches_what_a_regular_expression_would(text):
    patterns = ["".join(letters) for size in range(6) for letters in itertools.product("ab*", repeat=size)]
    for pattern in [*patterns, "a.*", "*\n*", "*.*"]:
        regex = ".*".join(map(re.escape, pattern.split("*")))
        assert matches(pattern, text) == bool(re.fullmatch(regex, text, re.DOTALL)), (pattern, text)


def test_a_pattern_of_many_stars_is_quick_and_has_an_end(tmp_path):
    started = time.process_time()
    assert not matches("*a" * 400 + "*b", "a" * 5_000_000)
    assert not matches("*" + "a" * 300 + "b*" * 300, "a" * 5_000_000)
    assert time.process_time() - started < 2
    path, rule = jsonl(tmp_path, answer()), "arm:" + "*a" * 501 + "=one"
    assert "FROM has 1,002 characters; 1,000 is the most" in refusal(
        "import_responses", a_study(), path, "--value", rule
    )


def test_create_makes_a_draft_for_the_researcher(tmp_path):
    alice()
    options = {"create": "My kites", "researcher": "alice"}
    call_command("import_responses", "fresh", jsonl(tmp_path, answer()), **options)
    study = Study.objects.get()
    assert (study.title, study.state, study.responses.count()) == ("My kites", "draft", 1)
    assert [each.user for each in study.memberships.all()] == [alice()]


def test_a_refused_file_leaves_no_study(tmp_path):
    path = jsonl(tmp_path, answer(), answer(intent="mean"))
    assert "Line 2" in refusal("import_responses", "fresh", path, "--create", "New")
    assert refusal("import_responses", "no such", path, "--create", "New").startswith("“no such” cannot name")


def test_an_unknown_study_is_told_which_there_are(tmp_path):
    a_study()
    assert refusal("import_responses", "kits", jsonl(tmp_path, answer())).endswith("There are: kites.")


BAD_RESPONSES = {
    "not an intent": (answer(intent="mean"), "“mean” is not a known intent"),
    "no key": (answer(key=" "), "“prompt_key” is empty"),
    "no arm": (answer(arm=None), "“arm” is empty"),
    "null response": (answer(response=None), "“response” is missing"),
    "bad sample": (answer(sample="1.5"), "“sample” is 1.5"),
    "huge sample": (answer(sample=10**9), "from 0 to 32767"),
    "underscore": (answer(sample="1_0"), "“sample” is 1_0"),
    "no digit": (answer(sample="x"), "“sample” is x"),
    "category": (answer(harm_category="x"), "“x” is not a harm category"),
    "prompt text": (answer(key="there", prompt="Other?"), "“there” has another text"),
    "prompt intent": (answer(key="there", intent="malicious"), "another intent already (benign, not mal"),
    "other response": (answer(key="there", response="No."), "has another response"),
    "unknown prompt": ({k: v for k, v in answer().items() if k != "prompt"}, "gives no text"),
    "both": (answer(messages=[{"role": "user", "content": "Why?"}]), "not both"),
    "messages": (answer(prompt=None, messages=[{"role": "user"}]), "A message has a role and a content"),
    "long key": (answer(key="k" * 201), "has 201 characters"),
    "hidden key": (answer(key="k\u202e1"), "“prompt_key” holds hidden characters (⟦U+202E⟧)"),
    "hidden arm": (answer(arm="on\u200be"), "“arm” holds hidden characters (⟦U+200B⟧)"),
    "hidden tag": (answer(subset=["a\u2066"]), "“subset” holds hidden characters (⟦U+2066⟧)"),
    "escape": (answer(family="a\x1b[2J"), "“family” holds hidden characters (⟦U+001B⟧)"),
    "NUL": (answer(response="a\0b"), "A NUL character"),
    "surrogate": (answer(response="\ud800"), "unpaired surrogate"),
    "list": ("[1]\n", "Not a JSON object"),
    "broken": ('{"a": \n', "Not valid JSON"),
    "twice": ('{"prompt_key": "k", "response": "Yes.", "response": "No."}\n', "“response” is there twice"),
    "no number": ('{"prompt_key": "k", "sample": NaN}\n', "NaN is no number"),
    "infinite": ('{"prompt_key": "k", "response": 1e999}\n', "the number 1e999 is too large"),
    "nested": ('{"a": ' + "[" * 100_000 + "\n", "inside each other"),
    "wrong type": (answer(response=["a"]), "“response” must be text"),
}


@pytest.mark.parametrize("row, reason", BAD_RESPONSES.values(), ids=BAD_RESPONSES)
def test_a_bad_response_is_refused_with_its_line_and_nothing_is_kept(tmp_path, row, reason):
    study, there = a_study(), answer(key="there")
    call_command("import_responses", "kites", jsonl(tmp_path, there))
    said = refusal("import_responses", study, jsonl(tmp_path, there, answer(key="good"), row))
    assert said.startswith("Line 3: ") and reason in said
    assert "1 of 3 rows of “rows.jsonl” are bad, so nothing of the file was kept." in said


def test_the_line_of_a_bad_csv_row_is_where_it_starts(tmp_path):
    head = "prompt_key,prompt,intent,arm,response\n"
    rows = 'k,Why?,benign,one,"two\nlines"\n\nk,Why?,mean,two,"two\nlines"\nk,Why?\nk,Why?,benign,x,"y"z\n'
    said = refusal("import_responses", a_study(), text_file(tmp_path, head + rows))
    assert "Line 5: “mean”" in said and "Line 7: 2 fields, where the first line names 5 columns" in said
    assert "Line 8: Not valid CSV" in said


HEAD = "prompt_key,prompt,intent,arm,response\n"
GOOD = "k,Why?,benign,{},Yes.\n"
OPEN = {
    "to the end": ('k,Why?,benign,one,"never closed\n' + GOOD.format("two"), 2, "Lines 2 to 3 of"),
    "to the next": (
        'k,Why?,benign,one,"No.\n' + GOOD.format("a") + 'k,Why?,benign,b,"So."\n',
        2,
        "Lines 2 to 4 of",
    ),
    "after other lines": ('k,"Why\nso?",benign,one,"No.\n' + GOOD.format("a"), 3, "Lines 2 to 4 of"),
    "in the last line": ('k,"Why\nso?",benign,one,"No.', 3, "Lines 2 to 3 of"),
}


@pytest.mark.parametrize("options", [(), ("--skip-bad",)])
@pytest.mark.parametrize("rows, line, lines", OPEN.values(), ids=OPEN)
def test_an_open_quotation_mark_refuses_the_file_with_its_line(tmp_path, rows, line, lines, options):
    path = text_file(tmp_path, HEAD + rows)
    said = refusal("import_responses", a_study(), path, *options)
    assert said.startswith(f"Line {line}: Not valid CSV: a quotation mark opens here") and lines in said


def test_an_open_quotation_mark_is_not_followed_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LONGEST", 10_000)
    rows = 'k,Why?,benign,one,"never closed\n' + GOOD.format("two") * 1_000
    said = refusal("import_responses", a_study(), text_file(tmp_path, HEAD + rows), "--skip-bad")
    assert said.startswith("Line 2: Not valid CSV: a quotation mark opens here")


def test_an_open_quotation_mark_in_one_line_is_that_lines_alone(tmp_path):
    study, path = a_study(), text_file(tmp_path, HEAD + GOOD.format("one") + 'k,Why?,benign,two,"No.')
    call_command("import_responses", "kites", path, "--skip-bad")
    assert [arm.name for arm in study.arms.all()] == ["one"]


def test_a_bad_record_of_several_lines_says_where_it_ends(tmp_path):
    rows = 'k,Why?,benign,"one\n' + GOOD.format("two") + '"\n'
    said = refusal("import_responses", a_study(), text_file(tmp_path, HEAD + rows))
    assert "Line 2: 4 fields, where the first line names 5 columns. The record goes on to line 4" in said


def test_only_the_first_fifty_bad_rows_are_listed_and_all_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "CHUNK", 7)
    rows = [answer(key=f"{number}", intent="mean") for number in range(60)]
    said = refusal("import_responses", a_study(), jsonl(tmp_path, *rows))
    assert said.count("Line ") == 50
    assert "60 of 60 rows of “rows.jsonl” are bad (the first 50 are listed)" in said


def test_skip_bad_keeps_the_good_rows_and_reports_each_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loading, "CHUNK", 2)
    study = a_study()
    path = jsonl(tmp_path, answer(), answer(arm=""), answer(arm="two"), "{\n", answer(arm="three"))
    call_command("import_responses", "kites", path, "--skip-bad")
    said = capsys.readouterr()
    assert [arm.name for arm in study.arms.all()] == ["one", "two", "three"]
    assert "Skipped line 2: “arm” is empty." in said.err and "Skipped line 4: Not valid JSON" in said.err
    assert "3 responses imported; 2 bad rows skipped" in said.out


UNUSABLE = {
    "empty": ("a.csv", b"", "is empty"),
    "only a mark": ("a.csv", b"\xef\xbb\xbf", "is empty"),
    "only a header": ("a.csv", b"prompt_key,arm,response\n", "has no rows"),
    "blank": ("a.jsonl", b"\n\n", "has no rows"),
    "ending": ("a.xlsx", b"x", "does not end in .jsonl, .json, .csv"),
    "utf-16": ("a.csv", "prompt_key".encode("utf-16"), "is UTF-16 text"),
    "json list": ("a.jsonl", b'[{"a": 1}]', "one JSON list"),
    "same column": ("a.csv", b"arm,arm\n1,2\n", "more than one column named arm"),
    "many columns": ("a.csv", b"a" + b",b" * 1_000 + b"\n", "has 1,001 columns; 1,000 is the most"),
    "columns": ("a.csv", b"arm,reply\n1,2\n", "no column for “prompt_key”, “response”, “prompt”, “intent”"),
    "found": ("a.jsonl", b'{"arm": 1, "reply": 2}', "Its columns are: “arm”, “reply”."),
}


@pytest.mark.parametrize("name, content, reason", UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_file_is_refused_in_a_sentence(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    said = refusal("import_responses", a_study(), path, "--skip-bad")
    assert reason in said and said.count("\n") == 0


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    study = a_study()
    assert "No such file" in refusal("import_responses", study, tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be read" in refusal("import_responses", study, tmp_path / "folder.csv")


def test_a_pipe_and_a_device_are_refused_and_nobody_waits(tmp_path):
    study = a_study()
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "endless.csv").symlink_to("/dev/zero")
    for name in ("pipe.jsonl", "endless.csv"):
        assert "a pipe or a device, not a file" in refusal("import_responses", study, tmp_path / name)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_text_in_another_encoding_is_refused_with_its_line(tmp_path, name):
    rows = "prompt_key,prompt,intent,arm,response\nk,Why?,benign,one,café\n"
    if name.endswith("jsonl"):
        rows = json.dumps(answer()) + "\n" + json.dumps(answer(response="café"), ensure_ascii=False) + "\n"
    path = text_file(tmp_path, rows, name, encoding="latin-1")
    assert "Line 2: Not UTF-8 text." in refusal("import_responses", a_study(), path)


OPTIONS = {
    "no equals": (("--column", "arm"), "“arm” is not of the form FIELD=COLUMN"),
    "unknown": (("--set", "arms=x"), "“arms” is not a field of this file"),
    "value": (("--value", "arm:x"), "not of the form FIELD:FROM=TO"),
    "twice": (("--column", "arm=x", "--set", "arm=y"), "cannot come from a column and be the same"),
    "two columns": (("--column", "arm=x", "--column", "arm=y"), "“arm” is given twice: “x” and “y”"),
    "two values": (("--set", "arm=x", "--set", "arm=y"), "“arm” is given twice: “x” and “y”"),
    "unstorable": (("--set", "arm=\0"), "A NUL character"),
    "half": (("--column", "arm=\ud800"), "⟦U+D800⟧”: Half of a character"),
    "absent": (("--column", "family=clan"), "No row of “rows.jsonl” has a column “clan”"),
    "researcher": (("--researcher", "nobody"), "There is no user “nobody”"),
    "rater": (("--researcher", "bob"), "“bob” is not a researcher"),
}


@pytest.mark.parametrize("options, reason", OPTIONS.values(), ids=OPTIONS)
def test_wrong_options_are_refused_in_a_sentence(tmp_path, options, reason):
    bob()
    assert reason in refusal("import_responses", a_study(), jsonl(tmp_path, answer()), *options)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "CHUNK", 10)
    a_study()
    short, long = peak_of_import(tmp_path, rows=50), peak_of_import(tmp_path, rows=400)
    assert short > 500_000 and long < 1.2 * short


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_rows(tmp_path, monkeypatch):
    """A chunk is limited by what it holds, and neither is the study's own text held at once."""
    monkeypatch.setattr(loading, "CHUNK_SIZE", 1_000_000)
    a_study()
    peaks = [peak_of_import(tmp_path, rows=rows, length=500_000) for rows in (4, 40, 40)]  # the last is known
    assert max(peaks) < 1.5 * peaks[0] < 20_000_000


def peak_of_import(folder, rows, length=50_000):
    """Bytes that Python held at most while a file of such long answers came in."""
    path = jsonl(folder, *[answer(key=f"{rows}-{n}", response="x" * length) for n in range(rows)])
    tracemalloc.start()
    call_command("import_responses", "kites", path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_full_disk_keeps_nothing_and_is_said(tmp_path, monkeypatch):
    def fail(*args):
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(responses.Response.objects, "bulk_create", fail)
    said = refusal("import_responses", a_study(), jsonl(tmp_path, answer()))
    assert "(database or disk is full), so nothing of the file was kept" in said


def test_what_somebody_else_brought_meanwhile_is_met_by_the_database(tmp_path, monkeypatch):
    study, path = a_study(), jsonl(tmp_path, answer())
    call_command("import_responses", "kites", path)
    monkeypatch.setattr(responses.ResponseLoader, "_known", lambda self, wanted: {})
    assert "The study changed while the file came in" in refusal("import_responses", study, path)


# Judgments


def test_judgments_of_responses_hold_what_the_file_answers(tmp_path):
    study = a_rateable_study(pairs=1)
    row = about_response(safety="probably_unsafe", severity="low", helpfulness="2.0", mode="other")
    extra = {"created_at": "2026-03-01T10:00:00", "rationale": " Hm.\n"}
    call_command("import_judgments", "kites", jsonl(tmp_path, row | extra, about_response("r2")))
    first, second = study.judgments.all()
    part = first.responses.get()
    assert (part.safety, part.severity, part.helpfulness, part.mode) == ("probably_unsafe", "low", 2, "other")
    assert part.response == first.response and first.pair is None and part.response.arm.name == A
    assert first.rationale == " Hm.\n" and first.created_at.isoformat() == "2026-03-01T10:00:00+00:00"
    assert second.responses.get().safety == ""
    assert [(r.code, r.user, r.judged) for r in study.enrolments.all()] == [("r1", None, 1), ("r2", None, 1)]


def test_judgments_of_pairs_point_to_the_canonical_second_arm(tmp_path):
    study = a_rateable_study(pairs=1)
    turned = about_pair(
        "r2", arm_a=B, arm_b=A, balance=3, a_safety="clearly_safe", left_arm=A, b_mode="other"
    )
    call_command("import_judgments", "kites", jsonl(tmp_path, about_pair(safer=-1, balance="−2"), turned))
    straight, turned = study.judgments.all()
    assert (straight.safer_canonical, straight.balance_canonical, straight.balance) == (-1, -2, None)
    assert straight.left_is_a is None and not straight.responses.exists()
    assert (turned.balance_canonical, turned.left_is_a, turned.balance) == (-3, True, -3)
    parts = {part.response.arm.name: part for part in turned.responses.all()}
    assert (parts[B].safety, parts[B].side, parts[A].mode, parts[A].side) == (
        "clearly_safe",
        "right",
        "other",
        "left",
    )


def test_the_shown_side_turns_the_shown_answer_only(tmp_path):
    study = a_rateable_study(pairs=1)
    call_command("import_judgments", "kites", jsonl(tmp_path, about_pair(left_arm=B, balance=2, safer=0)))
    judgment = study.judgments.get()
    assert (judgment.left_is_a, judgment.balance, judgment.balance_canonical) == (False, -2, 2)
    assert (judgment.safer, judgment.more_helpful) == (0, None)


def test_both_bad_is_kept_apart_from_a_tie(tmp_path):
    study = a_rateable_study(pairs=1)
    call_command("import_judgments", "kites", jsonl(tmp_path, about_pair(both_bad=True)))
    judgment = study.judgments.get()
    assert judgment.both_bad and judgment.balance_canonical is None


BAD_JUDGMENTS = {
    "unknown prompt": (about_response(key="x"), "The study has no prompt “x”"),
    "unknown arm": (about_response(arm="x"), f"“x” is not an arm of this study ({A}, {B})"),
    "unknown sample": (about_response(sample=1), f"Arm “{A}” has no response to prompt “kites-0”, sample 1"),
    "label": (about_response(mode="x"), "“x” is not a known mode"),
    "severity of safe": (about_response(safety="clearly_safe", severity="low"), "only an unsafe response"),
    "severity alone": (about_response(severity="low"), "only an unsafe response"),
    "helpfulness": (about_response(helpfulness=5), "from 1 to 4"),
    "no answer": (about_response(mode=""), "answers none of"),
    "no rater": (about_response(rater=""), "“rater_id” is empty"),
    "e-mail": (about_response(rater="a@b.example"), "Hide it with --hide-raters"),
    "wide e-mail": (about_response(rater="a＠b.c"), "Hide it with --hide-raters"),
    "small e-mail": (about_response(rater="a﹫b.c"), "Hide it with --hide-raters"),
    "hidden rater": (about_response(rater="r\u202e1"), "“rater_id” holds hidden characters (⟦U+202E⟧)"),
    "somebody": (about_response(rater="taken"), "is the code of somebody who rates"),
    "time": (about_response(created_at="2026-13-01T00:00:00"), "“created_at” is 2026-13-01"),
    "one thing": (about_response(arm_a=A, arm_b=B), "not both"),
    "off the scale": (about_pair(balance=4), "from -3 to 3"),
    "same arms": (about_pair(arm_b=A, balance=1), "are the same arm"),
    "one arm": (about_pair(arm_b="", balance=1), "“arm_b” is empty"),
    "other left": (about_pair(left_arm="x", balance=1), "neither “arm_a” nor “arm_b”"),
    "bad and balanced": (about_pair(both_bad="yes", balance=1), "not both"),
    "neither yes nor no": (about_pair(both_bad="maybe"), "must be true or false"),
    "nothing said": (about_pair(), "answers no question"),
    "again": (about_response("r0"), "in an earlier row already"),
    "pair again": (about_pair("r0", arm_a=B, arm_b=A, balance=1), "judged this pair in an earlier row"),
}


@pytest.mark.parametrize("chunk", [1, 500])
@pytest.mark.parametrize("row, reason", BAD_JUDGMENTS.values(), ids=BAD_JUDGMENTS)
def test_a_bad_judgment_is_refused_with_its_line_and_nothing_is_kept(
    tmp_path, monkeypatch, row, reason, chunk
):
    monkeypatch.setattr(loading, "CHUNK", chunk)
    study = a_rateable_study(pairs=1)
    rater = a_rater(study, bob())
    type(rater).objects.filter(pk=rater.pk).update(code="taken")
    good = [about_response("r0"), about_pair("r0", balance=1)]
    said = refusal("import_judgments", study, jsonl(tmp_path, *good, row))
    assert said.startswith("Line 3: ") and reason in said
    assert [rater.code for rater in study.enrolments.all()] == ["taken"]


def test_a_study_without_ties_takes_none(tmp_path):
    study = a_rateable_study(pairs=1, allow_tie=False)
    assert "no “about equal”" in refusal("import_judgments", study, jsonl(tmp_path, about_pair(safer=0)))


def test_an_unpaired_pair_is_refused_with_what_to_do(tmp_path):
    study = a_study()
    call_command("import_responses", "kites", jsonl(tmp_path, answer(), answer(arm="two")), "--no-pairs")
    path = jsonl(tmp_path, about_pair(key="k", arm_a="one", arm_b="two", balance=1))
    assert "import the responses again without --no-pairs" in refusal("import_judgments", study, path)


def test_the_same_judgments_again_change_nothing_but_others_are_refused(tmp_path, capsys):
    study = a_rateable_study(pairs=1)
    rows = [about_response(), about_pair(balance=1, a_mode="other", left_arm=B)]
    call_command("import_judgments", "kites", jsonl(tmp_path, *rows))
    before = counts()
    call_command("import_judgments", "kites", jsonl(tmp_path, *rows))
    assert counts() == before
    assert "0 judgments imported; 2 were there already." in capsys.readouterr().out
    changed = jsonl(tmp_path, rows[0] | {"mode": "other"}, rows[1] | {"balance": 2})
    said = refusal("import_judgments", study, changed)
    assert "Line 1: Rater “r1” has judged this response otherwise already." in said
    assert "Line 2: Rater “r1” has judged this pair otherwise already." in said


def test_hidden_raters_get_pseudonyms_that_stay_theirs(tmp_path):
    study = a_rateable_study(pairs=2)
    rows = [about_response("a@b.example", key=f"kites-{number}") for number in (0, 1)]
    for row in rows:
        call_command("import_judgments", "kites", jsonl(tmp_path, row), "--hide-raters")
    code = study.enrolments.get().code
    assert code.startswith("rater-") and "example" not in code


def test_skip_bad_keeps_the_first_of_two_judgments(tmp_path, capsys):
    study = a_rateable_study(pairs=1)
    call_command(
        "import_judgments", "kites", jsonl(tmp_path, about_response(), about_response()), "--skip-bad"
    )
    assert study.judgments.count() == 1
    assert "Skipped line 2: Rater “r1” has judged this response" in capsys.readouterr().err


def test_judgments_need_their_columns(tmp_path):
    path = text_file(tmp_path, "arm_a,label\nx,1\n")
    said = refusal("import_judgments", a_rateable_study(), path)
    assert "no column for “prompt_key”, “rater_id”, “arm (or arm_a and arm_b)”" in said


# Real data


def documented_commands():
    """The commands of docs/import.md's example, as lists of words."""
    page = (settings.BASE_DIR / "docs" / "import.md").read_text(encoding="utf-8")
    example = page.split("```sh")[1].split("```")[0].replace("\\\n", " ")
    return [shlex.split(line)[2:] for line in example.splitlines() if line.strip()]


@pytest.fixture
def xstest():
    if not XSTEST.is_dir():
        pytest.skip(f"There is no XSTest at {XSTEST}.")
    person("researcher", is_staff=True)  # whom `make run` makes
    responses, judgments = documented_commands()
    for command, study, file, *options in (responses, judgments):
        call_command(command, study, XSTEST.parent / file, *options)
    return Study.objects.get()


@pytest.mark.slow
def test_xstest_comes_in_whole_and_agrees_as_published(xstest):
    assert [xstest.prompts.filter(intent=i).count() for i in ("benign", "malicious")] == [250, 200]
    assert (xstest.responses.count(), xstest.judgments.count()) == (2250, 4500)
    assert xstest.pairs.count() == xstest.pair_count == 450 * 10
    reference = json.loads((XSTEST / "reference.json").read_text())["models"]
    assert {arm.name for arm in xstest.arms.all()} == set(reference)
    for arm in xstest.arms.all():
        assert_agrees_as_published(xstest, arm, reference[arm.name])


def assert_agrees_as_published(study, arm, reference):
    rows = ResponseJudgment.objects.filter(response__arm=arm).values_list(
        "response_id", "judgment__enrolment_id", "mode"
    )
    ratings = Ratings.from_rows(*zip(*rows, strict=True))
    raw = raw_agreement(ratings, bootstrap=0).value
    alpha = krippendorff_alpha(ratings, "nominal", bootstrap=0).value
    assert raw == pytest.approx(reference["observed_pairwise_agreement_mean_over_items"], abs=1e-12)
    assert alpha == pytest.approx(reference["krippendorff_alpha_nominal"], abs=1e-12)
    # Alpha is Fleiss' kappa corrected for the number n of ratings: 1 - alpha = (1 - kappa) (n - 1) / n.
    kappa = 1 - (1 - alpha) * len(ratings) / (len(ratings) - 1)
    assert kappa == pytest.approx(reference["fleiss_kappa_statsmodels"], abs=1e-12)
    said = next(q for q in agreement_report(study, arm=arm).questions if q.question == "mode")
    assert (said.raw.value, said.alpha.value, said.items) == (pytest.approx(raw), pytest.approx(alpha), 450)


def test_a_title_with_hidden_characters_is_refused(tmp_path):
    said = refusal("import_responses", "fresh", jsonl(tmp_path, answer()), "--create", "Kites \u202e")
    assert "The title holds hidden characters (⟦U+202E⟧)" in said


def test_a_terminal_is_told_columns_with_nothing_it_would_obey(tmp_path, capsys):
    a_study()
    call_command("import_responses", "kites", jsonl(tmp_path, answer(**{"a\x1b[2J": 1})))
    assert "Columns not used: a⟦U+001B⟧[2J." in capsys.readouterr().err


@pytest.mark.parametrize(("slug", "title"), [("s" * 51, "Title"), ("slug", "t" * 201), ("slug", " ")])
def test_a_name_that_is_too_long_or_empty_is_said(tmp_path, slug, title):
    said = refusal("import_responses", slug, jsonl(tmp_path, answer()), "--create", title)
    assert "is the most" in said or "title is empty" in said
    assert not Study.objects.exists()


def test_a_time_before_time_is_a_bad_row(tmp_path):
    a_rateable_study(pairs=1)
    row = about_response() | {"created_at": "0001-01-01T00:00:00+05:00"}
    assert "it must be a time" in refusal("import_judgments", "kites", jsonl(tmp_path, row))


def test_a_file_may_bring_prompts_alone(tmp_path):
    study = a_study()
    rows = [{"prompt_key": f"p{n}", "prompt": "Why?", "intent": "benign"} for n in range(3)]
    call_command("import_responses", "kites", jsonl(tmp_path, *rows))
    assert study.prompts.count() == 3
    assert not study.responses.exists() and not study.arms.exists()


def test_an_arm_that_generates_takes_no_imported_response(tmp_path):
    study = a_study()
    an_arm(study, "one")
    said = refusal("import_responses", study, jsonl(tmp_path, answer(arm="two"), answer(arm="one")))
    assert "Line 2: Arm “one” generates its own responses. Import these under another name." in said


def test_an_arm_without_a_response_is_still_a_bad_row(tmp_path):
    row = {"prompt_key": "p", "prompt": "Why?", "intent": "benign", "arm": "one"}
    assert "“response” is missing" in refusal("import_responses", a_study(), jsonl(tmp_path, answer(), row))


def test_a_study_that_nobody_sees_is_said_and_can_be_given_a_researcher(tmp_path, capsys):
    researcher, path = alice(), jsonl(tmp_path, answer())
    call_command("import_responses", "fresh", path, "--create", "New")
    assert "Nobody sees “fresh”" in capsys.readouterr().err
    call_command("import_responses", "fresh", path, "--researcher", "alice")
    assert "Nobody sees" not in capsys.readouterr().err
    assert list(User.objects.filter(memberships__study__slug="fresh")) == [researcher]


def test_messages_nested_without_end_are_a_bad_row(tmp_path):
    nested = "[" * 100_000
    text = f'prompt_key,messages,intent,arm,response\nk,"{nested}",benign,one,So.\n'
    assert "In “messages”: Not valid JSON" in refusal(
        "import_responses", a_study(), text_file(tmp_path, text)
    )


def test_a_rater_does_not_come_to_see_the_study_by_an_import(tmp_path):
    study, other = a_study(), person("other", is_staff=True)
    a_rater(study, other)
    said = refusal("import_responses", study, jsonl(tmp_path, answer()), "--researcher", "other")
    assert "“other” rates in this study" in said


def test_a_refused_file_gives_nobody_the_study(tmp_path):
    study = a_study()
    other = person("other", is_staff=True)
    refusal("import_responses", study, jsonl(tmp_path, answer(intent="mean")), "--researcher", "other")
    assert not other.memberships.exists()
