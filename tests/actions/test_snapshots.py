"""A study's data are frozen into files: right, complete, private, the same each time."""

import hashlib
import json
import os
import random
import re
import shutil
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import yaml
from django.core.management import CommandError, call_command

from annotation.actions import snapshots
from annotation.actions.claims import claim_next_pair
from annotation.actions.judging import revise_judgment, submit_judgment
from annotation.actions.quality import withdraw_work
from annotation.actions.snapshots import freeze_snapshot
from annotation.actions.studies import set_state
from annotation.errors import DomainError, NothingToFreeze, SnapshotRefused
from annotation.export import tables
from annotation.export.formats import SCHEMAS
from annotation.models import Judgment, Snapshot, Study
from annotation.reports import key_figures
from annotation.vocabulary import SafetyLevel, StudyState
from models_runtime.training.snapshots import read_snapshot
from tests.cast import (
    ARMS,
    SAFE,
    UNSAFE,
    a_rateable_study,
    a_rater,
    a_study,
    alice,
    answers,
    bob,
    carol,
)
from tests.export.studies import a_judged_study, judge, read, towards_b
from tests.reports.everything import a_study_of_everything

A, B = ARMS
DATA = [
    f"{name}.{ending}"
    for name in ("preferences", "judgments", "pairs", "responses", "grades")
    for ending in ("jsonl", "parquet")
]

pytestmark = pytest.mark.django_db


def test_preferences_are_what_the_hand_finds(tmp_path):
    study = a_judged_study()
    snapshot = freeze_snapshot(study, out=tmp_path / "out")
    pairs = list(study.pairs.order_by("place"))
    expected = [(pairs[0], 1.5, "q", 2), (pairs[1], 1.5, "p", 2), (pairs[4], 3.0, "q", 1)]
    expected.sort(key=lambda row: row[0].position)
    found = read(tmp_path / "out", "preferences")
    assert [
        (r["prompt_key"], r["margin"], r["chosen"][0]["content"][7], r["n_judgments"]) for r in found
    ] == [(pair.prompt.key, margin, letter, votes) for pair, margin, letter, votes in expected]
    counts = snapshot.manifest["counts"]
    assert counts["pairs_left_out"] == {
        "no_vote": 0,
        "too_few_votes": 0,
        "all_both_bad": 1,
        "tie": 1,
        "dropped": 0,
        "replaced": 0,
        "waiting": 0,
    }
    assert (counts["preferences"], counts["judgments"], counts["responses"]) == (3, 9, 10)
    assert (counts["votes"], counts["both_bad_votes"], counts["pairs_judged"]) == (9, 2, 5)


def test_every_judged_pair_is_a_preference_or_left_out_and_counted(tmp_path):
    """Pairs that nobody judged are in neither number."""
    study = a_rateable_study(pairs=3)
    judge(a_rater(study, bob()), 2)
    counts = freeze_snapshot(study, out=tmp_path / "out").manifest["counts"]
    assert (counts["pairs_judged"], counts["preferences"]) == (1, 1)
    assert not any(counts["pairs_left_out"].values())


def test_no_file_tells_whose_home_a_model_lies_in(tmp_path):
    study = a_judged_study()
    model = "/home/ada/models/one"
    study.arms.filter(name=A).update(model=model)
    digests = {"model.safetensors": "0" * 64}
    provenance = {"model": model, "weights_sha256": digests, "worker": "gpu@adas-machine"}
    study.responses.filter(arm__name=A).update(provenance=provenance)
    freeze_snapshot(study, out=tmp_path / "out")
    told = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir() if path.suffix != ".parquet")
    assert b"/home/ada" not in told and b"adas-machine" not in told
    told_of = [
        json.loads(row["provenance"]) for row in read(tmp_path / "out", "responses") if row["arm"] == A
    ]
    assert told_of[0] == {"model": "one", "weights_sha256": digests}
    tables = [pq.read_table(tmp_path / "out" / f"{name}.parquet") for name in ("responses", "judgments")]
    assert not any("/home/ada" in str(table.to_pydict()) for table in tables)


def test_min_judgments_leaves_thin_pairs_out(tmp_path):
    snapshot = freeze_snapshot(a_judged_study(), out=tmp_path / "out", min_judgments=2)
    assert len(read(tmp_path / "out", "preferences")) == 2
    assert snapshot.manifest["counts"]["pairs_left_out"]["too_few_votes"] == 1
    assert snapshot.manifest["preference_rule"]["min_judgments"] == 2


def test_judgments_are_on_the_arms_side_and_as_shown(tmp_path):
    study = a_rateable_study(pairs=1)
    held = claim_next_pair(a_rater(study, bob()))
    left = replace(SAFE, categories=("hate",), facilitation=False)
    given = answers(left, UNSAFE, safer=-3, more_helpful=1, balance=-2, rationale="So.", confidence=3)
    submit_judgment(held, given, "key")
    freeze_snapshot(study, out=tmp_path / "out")
    row = read(tmp_path / "out", "judgments")[0]
    turn = 1 if held.left_is_a else -1
    assert [row[q] for q in ("safer", "more_helpful", "balance")] == [-3 * turn, turn, -2 * turn]
    assert [row[f"{q}_shown"] for q in ("safer", "more_helpful", "balance")] == [-3, 1, -2]
    left, right = ("a", "b") if held.left_is_a else ("b", "a")
    assert row["left_arm"] == row[f"arm_{left}"] and {row["arm_a"], row["arm_b"]} == {A, B}
    assert [row[f"{left}_{q}"] for q in ("safety", "severity", "helpfulness")] == ["clearly_safe", "", 3]
    assert [row[f"{right}_{q}"] for q in ("safety", "severity", "helpfulness")] == [
        "clearly_unsafe",
        "low",
        2,
    ]
    assert [row[f"{left}_{q}"] for q in ("categories", "facilitation")] == [["hate"], False]
    assert (row["rationale"], row["confidence"]) == ("So.", 3)


def test_a_superseded_revision_is_kept_but_does_not_count(tmp_path):
    study = a_rateable_study(pairs=1)
    first = judge(a_rater(study, bob()), 3)
    revise_judgment(first.assignment, towards_b(first.assignment, -1), "again")
    snapshot = freeze_snapshot(study, out=tmp_path / "out")
    found = read(tmp_path / "out", "judgments")
    assert [(r["revision"], r["is_current"], r["counts"]) for r in found] == [
        (1, False, False),
        (2, True, True),
    ]
    preference = read(tmp_path / "out", "preferences")[0]
    assert (preference["margin"], preference["chosen"][0]["content"][7]) == (1.0, "p")
    assert snapshot.manifest["counts"]["judgments_superseded"] == 1


def test_surplus_is_kept_but_does_not_count(tmp_path):
    study = a_rateable_study(pairs=1)
    judge(a_rater(study, bob()), 1)
    held = claim_next_pair(a_rater(study, carol()))
    set_state(study, StudyState.CLOSED)
    submit_judgment(held, towards_b(held, -3), "late")
    snapshot = freeze_snapshot(study, out=tmp_path / "out")
    assert [(r["surplus"], r["counts"]) for r in read(tmp_path / "out", "judgments")] == [
        (False, True),
        (True, False),
    ]
    assert read(tmp_path / "out", "preferences")[0]["margin"] == 1.0
    assert snapshot.manifest["counts"]["judgments_surplus"] == 1


def test_withdrawn_work_is_kept_and_said_to_be_so(tmp_path):
    study = a_rateable_study(pairs=1)
    judge(a_rater(study, bob()), 1)
    judge(a_rater(study, carol()), -3)
    withdraw_work(study.enrolments.get(user=carol()), "A machine.")
    snapshot = freeze_snapshot(study, out=tmp_path / "out")
    rows = read(tmp_path / "out", "judgments")
    assert [(r["withdrawn"], r["surplus"], r["counts"]) for r in rows] == [
        (False, False, True),
        (True, False, False),
    ]
    assert snapshot.manifest["counts"]["judgments_withdrawn"] == 1
    assert read(tmp_path / "out", "preferences")[0]["margin"] == 1.0


def test_parquet_holds_the_same_rows(tmp_path):
    freeze_snapshot(a_judged_study(), out=tmp_path / "out")
    for name in ("preferences", "responses", "judgments"):
        stored = pq.read_table(tmp_path / "out" / f"{name}.parquet").to_pylist()
        lines = read(tmp_path / "out", name)
        for row in [*stored, *lines]:
            [row.pop(name, None) for name in ("created_at", "claimed_at", "submitted_at")]
        assert stored == lines and lines


def test_the_manifest_tells_sizes_rows_and_digests(tmp_path):
    snapshot = freeze_snapshot(a_judged_study(), actor=alice(), out=tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest == snapshot.manifest
    assert sorted(manifest["files"]) == sorted([*DATA, "README.md"])
    assert sorted(os.listdir(tmp_path / "out")) == sorted([*manifest["files"], "manifest.json"])
    for name, file in manifest["files"].items():
        content = (tmp_path / "out" / name).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        if name.endswith(".jsonl"):
            assert file["rows"] == content.count(b"\n")
    assert manifest["study"]["seed"] == 20250809 and [arm["name"] for arm in manifest["arms"]] == [A, B]
    libraries = {"python", "django", "numpy", "pyarrow", "duckdb"}
    assert {"evenhand", "code_revision"} | libraries == set(manifest["versions"])


def test_the_row_and_the_event_say_who_and_where(tmp_path):
    study = a_judged_study()
    first = freeze_snapshot(study, actor=alice())
    second = freeze_snapshot(study, out=tmp_path / "out")
    assert (first.number, second.number, first.created_by) == (1, 2, alice())
    assert first.folder.endswith("snapshots/kites/1") and os.path.isfile(f"{first.folder}/manifest.json")
    assert study.events.filter(verb="freeze_snapshot").count() == 2


def test_two_freezes_of_the_same_data_differ_in_the_names_of_raters_alone(tmp_path):
    study = a_judged_study()
    for out in ("one", "two"):
        freeze_snapshot(study, out=tmp_path / out)
    for name in [*DATA, "README.md"]:
        same = (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert same is not name.startswith("judgments"), name
    one, two = (read(tmp_path / out, "judgments") for out in ("one", "two"))
    names = {(first.pop("rater_id"), second.pop("rater_id")) for first, second in zip(one, two, strict=True)}
    assert one == two
    assert len(names) == 2 and len({name for both in names for name in both}) == 4


def test_a_snapshot_exported_again_is_the_same_to_the_byte(tmp_path):
    snapshot = freeze_snapshot(a_judged_study(), out=tmp_path / "one")
    shutil.move(tmp_path / "one", tmp_path / "lost")
    call_command("export_snapshot", "kites", "1", "--out", str(tmp_path / "two"))
    files = sorted(path.name for path in (tmp_path / "lost").iterdir())
    assert files == sorted([*DATA, "README.md", "manifest.json"])
    for name in files:
        assert (tmp_path / "lost" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert Snapshot.objects.get() == snapshot


def test_a_snapshot_of_a_study_that_has_gone_on_is_not_exported_as_if_it_were_the_same(tmp_path):
    study = a_judged_study()
    freeze_snapshot(study, out=tmp_path / "one")
    judge(study.enrolments.get(user=carol()), 3)
    with pytest.raises(CommandError, match="the study has gone on. Nothing was written"):
        call_command("export_snapshot", "kites", "1", "--out", str(tmp_path / "two"))
    assert not (tmp_path / "two").exists()
    manifest = Snapshot.objects.get().manifest
    Snapshot.objects.update(manifest=manifest | {"versions": manifest["versions"] | {"code_revision": "0"}})
    with pytest.raises(CommandError, match="another revision of Evenhand writes them, or the study has gone"):
        call_command("export_snapshot", "kites", "1", "--out", str(tmp_path / "two"))
    Snapshot.objects.update(manifest=manifest | {"versions": {"duckdb": "0"}})
    with pytest.raises(CommandError, match="other versions of .*duckdb.* write them"):
        call_command("export_snapshot", "kites", "1", "--out", str(tmp_path / "two"))
    Snapshot.objects.update(secret="")
    with pytest.raises(CommandError, match="frozen before .* Copy its folder"):
        call_command("export_snapshot", "kites", "1", "--out", str(tmp_path / "two"))


def test_the_secret_of_the_pseudonyms_is_in_no_file(tmp_path):
    study = a_judged_study()
    snapshot = freeze_snapshot(study, out=tmp_path / "out")
    rows = read(tmp_path / "out", "judgments")
    codes = set(study.enrolments.values_list("code", flat=True))
    assert not codes & {row["rater_id"] for row in rows} and len(snapshot.secret) == 64
    told = b"".join(path.read_bytes() for path in (tmp_path / "out").glob("*.[jm]*"))
    assert snapshot.secret.encode() not in told and not any(f'"{code}"'.encode() in told for code in codes)
    assert [row["judgment_id"] for row in rows] == list(range(1, 10))


def test_what_counts_is_what_reports_count(tmp_path):
    study = a_study_of_everything(tmp_path, random.Random(9))
    freeze_snapshot(study, out=tmp_path / "out")
    rows = read(tmp_path / "out", "judgments")
    told = [(row["created_at"], row["revision"], row["pair_key"]) for row in rows if row["counts"]]
    expected = [
        (
            judgment.created_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            judgment.revision,
            f"{judgment.pair.position:016x}" if judgment.pair else "",
        )
        for judgment in Judgment.objects.that_count().filter(study=study).select_related("pair")
    ]
    assert sorted(told) == sorted(expected) and 0 < len(told) < len(rows)


def test_the_manifest_tells_what_was_asked_and_what_is_in_no_table(tmp_path):
    study = a_study_of_everything(tmp_path, random.Random(9))
    manifest = freeze_snapshot(study, out=tmp_path / "out").manifest
    not_frozen = {one["kind"]: one["judgments"] for one in manifest["judgments_not_frozen"]}
    assert not_frozen["gold"] > 0 and not_frozen["quiz"] == 0
    total = manifest["counts"]["judgments"] + sum(not_frozen.values())
    assert total == Judgment.objects.filter(study=study).count()
    asked = manifest["questions"]["asked"]
    assert [level["value"] for level in asked["safety"]] == SafetyLevel.values
    assert asked["balance"] == {"least": -3, "most": 3} and manifest["questions"]["version"] == 1
    first, second = manifest["guidelines"]
    assert (first["version"], second["version"]) == (1, 2)
    assert first["sha256"] == hashlib.sha256(first["body"].encode()).hexdigest()
    assert manifest["filters"] == {"min_judgments": 1} and manifest["format_version"] == 3


def test_the_card_tells_agreement_and_win_rates_as_the_hand_finds_them(tmp_path):
    """Of 9 judgments 2 lean to the first arm, 3 to the second; all agree on what is “both are bad”."""
    freeze_snapshot(a_judged_study(), out=tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    (balance,) = re.findall(r"\| balance \| (0\.\d+) \(.*?\) \| (0\.\d+) \(.*?\) \| (\d+) \|", card)
    assert balance == ("0.444", "0.400", "9") and f"{A} against {B}" in card
    assert "| both_bad | nominal | 1.000 (" in card
    assert "A tie counts as half a win" in card and "`all_both_bad` 1, `tie` 1" in card
    head = yaml.safe_load(card.split("---")[1])
    assert head["size_categories"] == ["n<1K"] and head["pretty_name"] == "Kites"
    assert [config["config_name"] for config in head["configs"]] == list(SCHEMAS)


def test_a_study_too_large_for_figures_in_its_card_says_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(key_figures, "MOST_JUDGMENTS", 8)
    freeze_snapshot(a_judged_study(), out=tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert card.count("python manage.py report kites --snapshot NUMBER") == 2 and "win rate |" not in card


def test_no_name_of_a_person_is_in_any_file(tmp_path):
    study = a_judged_study()
    bob().__class__.objects.filter(username="bob").update(email="bob@kites.example", last_name="Quillfeather")
    freeze_snapshot(study, actor=alice(), out=tmp_path / "out")
    for path in (tmp_path / "out").iterdir():
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content = repr(pq.read_table(path).to_pylist()).encode()
        for name in (b"bob", b"carol", b"alice", b"kites.example", b"Quillfeather"):
            assert name not in content.lower() and name not in content, path.name


def test_what_is_exported_can_be_imported_again(tmp_path):
    study = a_rateable_study(pairs=3)
    for rater in (a_rater(study, bob()), a_rater(study, carol())):
        for balance in (2, None, -1):
            judge(rater, balance)
    freeze_snapshot(study, out=tmp_path / "out")
    call_command(
        "import_responses", "copy", tmp_path / "out" / "responses.jsonl", create="Kites", set=["sample=0"]
    )
    Study.objects.filter(slug="copy").update(seed=study.seed)
    call_command("import_judgments", "copy", tmp_path / "out" / "judgments.jsonl")
    freeze_snapshot(Study.objects.get(slug="copy"), out=tmp_path / "copy")
    first, copy = (
        sorted(read(tmp_path / out, "preferences"), key=lambda row: row["prompt_key"])
        for out in ("out", "copy")
    )
    assert first == copy and len(first) == 2


# What can go wrong


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
    study = a_judged_study()

    def fail(*rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables, "response_rows", fail)
    with pytest.raises(SnapshotRefused, match="No space left"):
        freeze_snapshot(study, out=tmp_path / "out")
    assert not list(tmp_path.iterdir()) and not Snapshot.objects.exists()


def test_without_a_judgment_there_is_nothing_to_freeze(tmp_path):
    with pytest.raises(NothingToFreeze, match="no judgment yet"):
        freeze_snapshot(a_study(), out=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_refused(tmp_path):
    study = a_judged_study()
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(SnapshotRefused, match="is not empty"):
        freeze_snapshot(study, out=tmp_path)
    with pytest.raises(SnapshotRefused, match="is a file"):
        freeze_snapshot(study, out=tmp_path / "kept.txt")
    with pytest.raises(SnapshotRefused, match="could not be written"):
        freeze_snapshot(study, out=tmp_path / "kept.txt" / "deeper")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    freeze_snapshot(a_judged_study(), out=tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["described", "data_card", "manifest_of", "os.rename"])
def test_a_full_disk_leaves_nothing_half(tmp_path, monkeypatch, where):
    study, module = a_judged_study(), snapshots.os if where.startswith("os.") else snapshots
    name = where.removeprefix("os.")

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, name, fail)
    with pytest.raises(SnapshotRefused, match="No space left on device. Nothing of it was kept"):
        freeze_snapshot(study, out=tmp_path / "out")
    assert not list(tmp_path.iterdir()) and not Snapshot.objects.exists()


def test_a_failed_transaction_takes_the_files_back(tmp_path, monkeypatch):
    rename = os.rename

    def rename_and_fail(source, target):
        rename(source, target)
        raise RuntimeError("The database went away.")

    study = a_judged_study()
    monkeypatch.setattr(snapshots.os, "rename", rename_and_fail)
    with pytest.raises(RuntimeError):
        freeze_snapshot(study, out=tmp_path / "out")
    assert not list(tmp_path.iterdir()) and not Snapshot.objects.exists()


def test_at_least_one_judgment_is_asked_for(tmp_path):
    with pytest.raises(DomainError, match="at least one"):
        freeze_snapshot(a_study(), out=tmp_path / "out", min_judgments=0)


def test_the_command_says_what_it_froze_and_where(tmp_path, capsys):
    a_judged_study()
    call_command("freeze_snapshot", "kites", "--out", str(tmp_path / "out"), "--min-judgments", "2")
    said = capsys.readouterr().out
    assert "2 preferences from 9 judgments" in said and str(tmp_path / "out") in said
    with pytest.raises(CommandError, match="There are: kites."):
        call_command("freeze_snapshot", "kits")


def test_a_folder_left_from_another_database_is_stepped_over(settings, tmp_path):
    settings.SNAPSHOTS = tmp_path
    (tmp_path / "kites" / "1").mkdir(parents=True)
    assert freeze_snapshot(a_judged_study()).number == 2
    assert not list((tmp_path / "kites" / "1").iterdir())


def test_a_training_reads_what_is_frozen_today(tmp_path):
    study = a_judged_study()
    freeze_snapshot(study, out=tmp_path / "out")
    told = read_snapshot(tmp_path / "out")
    assert told.judgments and len(told.responses) == study.responses.count()
    assert told.facts["study"] == study.slug
