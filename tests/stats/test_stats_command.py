"""The command line: exact keys, the reference values, and a sentence instead of a traceback."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.stats.__main__ import main

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
MEASURES = ["raw_agreement", "krippendorff_alpha", "cohen_kappa", "fleiss_kappa", "gwet_ac1", "gwet_ac2"]
HEADER = "item_id,rater_id,label\n"


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "rows.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def run(capsys, *arguments):
    """Exit status, the JSON printed (None where nothing was), and standard error."""
    status = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return status, json.loads(printed.out) if printed.out else None, printed.err


def test_it_needs_neither_django_nor_a_database(file):
    path = file(HEADER + "1,a,x\n1,b,x\n2,a,y\n2,b,x\n")
    command = (
        "import sys; sys.argv[0]='x'; from annotation.stats.__main__ import main; code = main(sys.argv[1:]); "
    )
    command += "assert not {'django', 'celery'} & set(sys.modules); sys.exit(code)"
    found = subprocess.run(
        [sys.executable, "-c", command, "agreement", path, "--level", "nominal"],
        cwd=ROOT,
        capture_output=True,
        env={"PATH": ""},
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["judgments"] == 4


def test_agreement_has_exactly_its_keys(capsys, file):
    path = file(HEADER + "1,a,1\n1,b,2\n2,a,2\n2,b,2\n3,a,1\n3,b,1\n")
    status, answer, _ = run(capsys, "agreement", path, "--level", "ordinal", "--bootstrap", 50, "--seed", 3)
    assert status == 0
    assert list(answer) == ["items", "raters", "judgments", *MEASURES, "weighted_kappa"]
    assert (answer["items"], answer["raters"], answer["judgments"]) == (3, 2, 6)
    measures = [answer[name] for name in MEASURES] + list(answer["weighted_kappa"].values())
    assert all(list(measure) == ["value", "low", "high", "n", "reason"] for measure in measures)
    assert list(answer["weighted_kappa"]) == ["linear", "quadratic"]


def test_a_seed_gives_the_same_answer_again(capsys, file):
    rows = "".join(f"{i},{r},{(i * r) % 3}\n" for i in range(20) for r in (1, 2, 3))
    path = file(HEADER + rows)
    first, again, other = (
        run(capsys, "agreement", path, "--level", "nominal", "--seed", seed)[1] for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize(
    "table", ["krippendorff_c", "krippendorff_wikipedia", "fleiss1971", "artstein_poesio"]
)
def test_a_file_of_the_textbooks_gives_the_reference_values(capsys, shared_data, table):
    reference = shared_data.json("agreement_tables/reference.json")["tables"][table]
    path = shared_data.folder / f"agreement_tables/{table}_long.csv"
    _, answer, _ = run(capsys, "agreement", path, "--level", "nominal", "--bootstrap", 0)
    assert (answer["raters"], answer["judgments"]) == (reference["raters"], reference["ratings"])
    assert answer["krippendorff_alpha"]["value"] == pytest.approx(reference["krippendorff_alpha_nominal"])
    assert answer["cohen_kappa"]["value"] == pytest.approx(reference["mean_pairwise_cohen_kappa"])
    assert answer["fleiss_kappa"]["value"] == pytest.approx(
        reference["irrCAC"]["fleiss"]["coefficient"], abs=6e-6
    )
    assert answer["gwet_ac1"]["value"] == pytest.approx(
        reference["irrCAC"]["gwet_ac1"]["coefficient"], abs=6e-6
    )


BAD = {
    "nothing": (b"", "empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00,,\n", "not UTF-8|no column|not a table"),
    "another encoding": (HEADER.encode() + "1,a,höher\n1,b,x\n".encode("latin-1"), "not UTF-8"),
    "a missing column": ("item,rater_id,label\n1,a,x\n", "no column item_id"),
    "a column twice": ("item_id,rater_id,label,label\n1,a,x,y\n", "two columns named label"),
    "ragged rows": (HEADER + "1,a,x\n1,b\n", "not a table"),
    "no label": (HEADER + "1,a,x\n1,b,\n", "1 of 2 rows have no label; the first is row 2"),
    "NaN": (HEADER + "1,a,x\n1,b,NaN\n", 'no label but "NaN"'),
    "no rater": (HEADER + "1,,x\n1,b,x\n", "no rater_id"),
    "a repeat": (HEADER + "1,a,x\n1,a,y\n1,b,x\n", "Rater a judged item 1 more than once .*--repeats first"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize(
    "command", [["agreement", "--level", "nominal"], ["aggregate", "--method", "dawid_skene"]]
)
def test_a_bad_file_is_refused_in_a_sentence(capsys, file, command, case):
    content, words = BAD[case]
    status, answer, said = run(capsys, command[0], file(content), *command[1:])
    assert (status, answer) == (2, None)
    assert "rows.csv" in said and len(said) < 600
    assert any(re.search(word, said) for word in words.split("|"))


@pytest.mark.parametrize("label", ["x", "1e999", "inf", "1_0", "1,5"])
def test_a_label_that_is_no_number_is_refused_on_an_interval_level(capsys, file, label):
    path = file(HEADER + f'1,a,1\n1,b,"{label}"\n')
    status, answer, said = run(capsys, "agreement", path, "--level", "interval")
    assert (status, answer) == (2, None) and f'"{label}" is not a finite number' in said


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("", "no judgments"),
        ("1,a,x\n2,a,y\n", "only one rater"),
        ("1,a,x\n1,b,x\n2,a,x\n2,b,x\n", "Every rating is the same"),
        ("1,a,x\n2,b,y\n", "nothing to compare"),
    ],
)
def test_what_does_not_exist_is_null_with_its_reason_and_status_2(capsys, file, rows, why):
    status, answer, said = run(capsys, "agreement", file(HEADER + rows), "--level", "nominal")
    assert status == 2 and why in said
    assert answer["krippendorff_alpha"]["value"] is None and why in answer["krippendorff_alpha"]["reason"]
    assert all(answer[name]["value"] is not None or answer[name]["reason"] for name in MEASURES)


@pytest.mark.parametrize("path", ["nowhere.csv", "."])
def test_a_file_that_cannot_be_read_is_named(capsys, path):
    status, answer, said = run(capsys, "agreement", path, "--level", "nominal")
    assert (status, answer) == (2, None) and "cannot be read" in said


@pytest.mark.parametrize(("repeats", "judgments"), [("first", 3), ("all", 4)])
def test_repeats_are_kept_as_told(capsys, file, repeats, judgments):
    path = file(HEADER + "1,a,x\n1,a,y\n1,b,x\n2,b,y\n")
    _, answer, _ = run(capsys, "agreement", path, "--level", "nominal", "--repeats", repeats)
    assert answer["judgments"] == judgments


@pytest.mark.parametrize("settings", [["--bootstrap", "-1"], ["--bootstrap", "many"], ["--level", "ratio"]])
def test_settings_without_meaning_are_refused(file, settings):
    with pytest.raises(SystemExit) as refusal:
        main(["agreement", file(HEADER), "--level", "nominal", *settings])
    assert refusal.value.code == 2


def test_newlines_quotes_and_a_byte_order_mark_are_read(capsys, file):
    path = file(
        '\ufeffitem_id,rater_id,label\r\n"a\nb, ""c""",x,1\r\n"a\nb, ""c""",y,1.0\r\nd,x,2\r\nd,y,1\r\n'
    )
    _, answer, _ = run(capsys, "agreement", path, "--level", "ordinal", "--bootstrap", 0)
    assert (answer["items"], answer["judgments"]) == (2, 4)
    assert answer["raw_agreement"]["value"] == 0.5


METHODS = ["majority", "weighted", "dawid_skene", "mace"]
PANEL = HEADER + "1,a,x\n1,b,x\n1,c,y\n2,a,y\n2,b,y\n2,c,y\n3,a,x\n3,b,x\n3,c,x\n4,a,y\n4,b,y\n4,c,x\n"


@pytest.mark.parametrize("method", METHODS)
def test_aggregate_has_exactly_its_keys(capsys, file, method):
    status, answer, _ = run(capsys, "aggregate", file(PANEL), "--method", method)
    assert status == 0 and list(answer) == ["labels", "posteriors", "raters"]
    assert answer["labels"] == {"1": "x", "2": "y", "3": "x", "4": "y"}
    assert all(
        list(row) == ["x", "y"] and sum(row.values()) == pytest.approx(1)
        for row in answer["posteriors"].values()
    )
    assert list(answer["raters"]) == ["a", "b", "c"]
    assert answer["raters"]["a"]["quality"] > answer["raters"]["c"]["quality"]
    assert {rater["judgments"] for rater in answer["raters"].values()} == {4}


def test_the_anaesthetists_get_their_published_labels(capsys, shared_data):
    path = shared_data.folder / "dawid_skene_1979/anaesthetists_long.csv"
    status, answer, said = run(capsys, "aggregate", path, "--method", "dawid_skene")
    assert (status, answer) == (2, None) and "--repeats" in said
    _, answer, _ = run(capsys, "aggregate", path, "--method", "dawid_skene", "--repeats", "all")
    reference = shared_data.json("dawid_skene_1979/reference.json")["anaesthetists"]["dawid_skene_em"]
    for item, row in reference["posteriors"].items():
        assert list(answer["posteriors"][item].values()) == pytest.approx(row, abs=1e-4)
        assert answer["labels"][item] == "1234"[row.index(max(row))]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("", "no judgments"),
        ("1,a,x\n2,a,y\n", "only one rater"),
        ("1,a,x\n1,b,x\n", "Every rating is the same"),
        ("1,a,x\n2,b,y\n", "No item has labels of two raters"),
    ],
)
@pytest.mark.parametrize("method", ["weighted", "dawid_skene", "mace"])
def test_raters_that_cannot_be_told_apart_are_not_modelled(capsys, file, method, rows, why):
    status, _, said = run(capsys, "aggregate", file(HEADER + rows), "--method", method)
    assert status == 2 and why in said


MEETINGS = "item_id,rater_id,arm_a,arm_b,outcome\n"
SOME = MEETINGS + "".join(
    f"{i},{'r1' if i % 2 else ''},{a},{b},{won}\n"
    for i, (a, b, won) in enumerate(
        [
            ("x", "y", "a"),
            ("y", "x", "a"),
            ("x", "y", "tie"),
            ("x", "y", "a"),
            ("y", "z", "a"),
            ("z", "x", "b"),
        ]
        * 8
        + [("z", "y", "a"), ("z", "x", "a")] * 3
    )
)


def test_preference_has_exactly_its_keys_and_counts_on_the_first_named_side(capsys, file):
    status, answer, _ = run(capsys, "preference", file(SOME), "--bootstrap", 200)
    assert status == 0 and list(answer) == ["arms", "win_rates"]
    assert [list(arm) for arm in answer["arms"]] == [["name", "strength", "low", "high"]] * 3
    assert [arm["name"] for arm in answer["arms"]] == ["x", "y", "z"]
    assert sum(arm["strength"] for arm in answer["arms"]) == pytest.approx(1)
    first = answer["win_rates"][0]
    assert list(first) == ["arm_a", "arm_b", "wins", "ties", "losses", "rate", "low", "high"]
    assert (first["arm_a"], first["arm_b"], first["wins"], first["ties"], first["losses"]) == (
        "x",
        "y",
        16,
        8,
        8,
    )
    assert first["rate"] == pytest.approx(20 / 32) and first["low"] < first["rate"] < first["high"]
    assert len(answer["win_rates"]) == 3


def test_a_tournament_gives_the_reference_strengths(capsys, shared_data, file):
    pairs = {row["item_id"]: row["cmp_key"].split("_") for row in shared_data.rows("pandalm/items.csv")}
    words = {"1": "a", "2": "b", "tie": "tie"}
    votes = shared_data.rows("pandalm/judgments_long.csv")
    rows = [
        f"{v['item_id']},{v['rater_id']},{','.join(pairs[v['item_id']])},{words[v['label']]}\n" for v in votes
    ]
    _, answer, _ = run(capsys, "preference", file(MEETINGS + "".join(rows)))
    known = shared_data.json("pandalm/reference.json")["tournament_all_votes"]["davidson1970"]["coef"]
    by_name = {arm["name"]: arm["strength"] for arm in answer["arms"]}
    ratios = {name: math.log(by_name[name] / by_name["bloom-7b"]) for name in known}
    assert ratios == pytest.approx(known, abs=1e-6)
    assert all(arm["low"] < arm["strength"] < arm["high"] for arm in answer["arms"])


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("", "no comparisons"),
        ("1,r,x,y,tie\n2,r,x,y,tie\n", "is a tie"),
        ("1,r,x,y,a\n2,r,y,x,a\n3,r,u,v,a\n4,r,v,u,a\n", "never met"),
        ("1,r,x,y,a\n2,r,x,y,a\n", "never lost"),
    ],
)
def test_strengths_that_do_not_exist_are_null_with_a_reason_and_status_2(capsys, file, rows, why):
    status, answer, said = run(capsys, "preference", file(MEETINGS + rows))
    assert status == 2 and why in said and why in answer["reason"]
    assert all(arm["strength"] is None for arm in answer["arms"])
    assert all(row["rate"] is not None for row in answer["win_rates"])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("1,r,x,y,win\n", 'outcome is a, tie or b, not "win"'),
        ("1,r,x,x,a\n", "with itself"),
        ("1,r,x,y,\n", "no outcome"),
        ("1,r,,y,a\n", "no arm_a"),
        ("1,r,x,y,a\n1,r,y,x,a\n", "rater r judged item 1 more than once"),
    ],
)
def test_rows_of_a_preference_file_without_meaning_are_refused(capsys, file, rows, words):
    status, answer, said = run(capsys, "preference", file(MEETINGS + rows))
    assert (status, answer) == (2, None) and words in said and "rows.csv" in said


def test_more_arms_than_are_compared_are_refused(capsys, file):
    rows = "".join(f"{i},r,arm{i},arm{i + 1},a\n" for i in range(80))
    status, _, said = run(capsys, "preference", file(MEETINGS + rows))
    assert status == 2 and "arms" in said


@pytest.mark.parametrize(("repeats", "judged"), [("first", 3), ("all", 4)])
def test_repeated_comparisons_are_kept_as_told_and_nameless_raters_never_repeat(
    capsys, file, repeats, judged
):
    path = file(MEETINGS + "1,r,x,y,a\n1,r,y,x,a\n1,,x,y,b\n1,,x,y,b\n")
    _, answer, _ = run(capsys, "preference", path, "--repeats", repeats)
    row = answer["win_rates"][0]
    assert row["wins"] + row["ties"] + row["losses"] == judged


def test_a_reader_who_stops_reading_gets_no_traceback(file):
    rows = "".join(f"{i},{r},{(i * r) % 3}\n" for i in range(4000) for r in (1, 2, 3))
    command = (
        f"{sys.executable} -m annotation.stats aggregate {file(HEADER + rows)} --method majority | head -c 9"
    )
    found = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True)
    assert found.stdout and found.stderr == b""


def documented():
    """The commands that docs/statistics.md tells readers to run."""
    lines = (ROOT / "docs" / "statistics.md").read_text().splitlines()
    return [line.split()[3:] for line in lines if line.startswith("    python -m annotation.stats")]


@pytest.mark.parametrize("command", documented(), ids=" ".join)
def test_every_documented_command_runs(capsys, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    labels = "".join(f"{i},{r},{1 + (i + (i % 5 == r)) % 3}\n" for i in range(30) for r in (1, 2, 3))
    Path("ratings.csv").write_text(HEADER + labels)
    Path("duels.csv").write_text(SOME)
    status, answer, said = run(capsys, *command)
    assert (status, said) == (0, "") and answer


def test_there_are_documented_commands():
    assert {command[0] for command in documented()} == {"agreement", "aggregate", "preference"}


COMMANDS = [
    ["agreement", "--level", "nominal", "--bootstrap", "20"],
    ["agreement", "--level", "interval", "--bootstrap", "20"],
    ["aggregate", "--method", "dawid_skene", "--repeats", "all"],
    ["aggregate", "--method", "mace", "--repeats", "first"],
    ["preference", "--bootstrap", "20"],
]
cells = st.sampled_from(["", "1", "2", "1.0", "-1e308", "nan", "a", "b", "tie", "é", '"x\ny"', '"', ",", " "])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@given(rows=st.lists(st.lists(cells, min_size=3, max_size=5), max_size=12), named=st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_table_gets_a_traceback_or_a_number_that_means_nothing(capsys, tmp_path, command, rows, named):
    header = ["item_id", "rater_id", "label"] if command[0] != "preference" else MEETINGS.strip().split(",")
    width = len(header)
    lines = [",".join((row * 2)[:width]) for row in rows]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([",".join(header)] * named + lines) + "\n", encoding="utf-8")
    status, answer, said = run(capsys, command[0], path, *command[1:])
    assert (status == 0 and answer) or (status == 2 and said.strip())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@given(content=st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_get_a_traceback(capsys, tmp_path, command, content):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    status, answer, said = run(capsys, command[0], path, *command[1:])
    assert (status, answer) == (2, None) and said.strip()
