"""What we export comes back in as it was: export, import elsewhere, export again, and the rows are equal."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from annotation.actions.snapshots import freeze_snapshot
from annotation.datasets.making import make_dataset
from annotation.datasets.recipe import Recipe
from annotation.models import Study
from tests.cast import ARMS, a_rateable_study, a_study

pytestmark = pytest.mark.django_db

A, B = ARMS
GIVEN = [
    {"balance": 3, "safer": 1, "more_helpful": -1, "a_safety": "clearly_safe", "b_safety": "clearly_safe"},
    {"balance": -2, "safer": -1, "more_helpful": -1, "a_safety": "clearly_safe", "b_safety": "clearly_unsafe"}
    | {"b_severity": "moderate"},
    {"balance": 1, "safer": 1, "more_helpful": 1, "a_safety": "clearly_unsafe", "b_safety": "clearly_safe"}
    | {"a_severity": "high"},
    {"balance": -1, "safer": -1, "more_helpful": 1, "a_safety": "clearly_safe", "b_safety": "clearly_safe"},
]


def judged_study(folder: Path) -> Study:
    """Four pairs with one judgment each, their prompts with every label."""
    study = a_rateable_study(4)
    study.prompts.update(harm_category="hate", subset=["biorisk", "x"], family="one family")
    study.prompts.filter(key="kites-0").update(family="", harm_category="")
    rows = [
        {"prompt_key": f"kites-{number}", "arm_a": A, "arm_b": B, "rater_id": "r1", **given}
        for number, given in enumerate(GIVEN)
    ]
    path = folder / "judged.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    call_command("import_judgments", "kites", path)
    return study


def exported(
    study: Study, folder: Path, format_name: str, kind: str = "jsonl"
) -> tuple[list[Path], list[dict]]:
    """The files of a dataset of the study as it is now, and their rows in one order."""
    snapshot = freeze_snapshot(study)
    out = folder / f"{study.slug}-{format_name}-{kind}"
    recipe = Recipe(format=format_name, files=(kind, "jsonl"), duplicates="keep")
    out.mkdir()
    make_dataset(Path(snapshot.folder), recipe, out)
    lines = [line for path in sorted(out.rglob("*.jsonl")) for line in path.read_text().splitlines()]
    rows = [json.loads(line) for line in lines]
    return sorted(out.rglob(f"*.{kind}")), sorted(rows, key=lambda row: (row["prompt_key"], row["pair_key"]))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize("format_name", ["trl_preference", "anthropic_hh", "pku_saferlhf"])
def test_rows_of_pairs_come_back_equal(tmp_path, format_name, kind):
    paths, before = exported(judged_study(tmp_path), tmp_path, format_name, kind)
    again = a_study("again")
    for path in paths:
        call_command("import_preferences", "again", path, "--format", format_name)
    assert exported(again, tmp_path, format_name)[1] == before and len(before) == 4


def test_raw_judgments_come_back_equal(tmp_path):
    """To a study that has the responses: those come from the snapshot's own table."""
    study = judged_study(tmp_path)
    paths, before = exported(study, tmp_path, "judgments")
    again = a_study("again")
    folder = Path(study.snapshots.first().folder)
    call_command("import_preferences", "again", folder / "responses.parquet", "--format", "responses")
    for path in paths:
        call_command("import_preferences", "again", path)
    after = exported(again, tmp_path, "judgments")[1]
    ours = {"judgment_id", "response_id"}
    assert [{k: v for k, v in row.items() if k not in ours} for row in after] == [
        {k: v for k, v in row.items() if k not in ours} for row in before
    ]


def test_the_snapshots_own_preferences_come_back(tmp_path):
    study = judged_study(tmp_path)
    folder = Path(freeze_snapshot(study).folder)
    again = a_study("again")
    call_command("import_preferences", "again", folder / "preferences.jsonl")
    told = (folder / "preferences.jsonl").read_text()
    assert (Path(freeze_snapshot(again).folder) / "preferences.jsonl").read_text() == told
