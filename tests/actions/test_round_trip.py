"""What we export comes back in as it was: export, import elsewhere, export again, and the rows are equal."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotation.actions.snapshots import freeze_snapshot
from annotation.datasets.making import make_dataset
from annotation.datasets.recipe import Recipe
from annotation.models import Judgment, Study
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
    study: Study, folder: Path, format_name: str, kind: str = "jsonl", **rules: str
) -> tuple[list[Path], list[dict]]:
    """The files of a dataset of the study as it is now, and their rows in one order."""
    snapshot = freeze_snapshot(study)
    out = folder / f"{study.slug}-{format_name}-{kind}"
    recipe = Recipe(format=format_name, files=(kind, "jsonl"), duplicates="keep", **rules)
    out.mkdir()
    make_dataset(Path(snapshot.folder), recipe, out)
    lines = [line for path in sorted(out.rglob("*.jsonl")) for line in path.read_text().splitlines()]
    rows = [json.loads(line) for line in lines]
    return sorted(out.rglob(f"*.{kind}")), sorted(rows, key=lambda row: (row["prompt_key"], row["pair_key"]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jsonl", "parquet", "csv", "jsonl.gz"])
@pytest.mark.parametrize("format_name", ["trl_preference", "anthropic_hh", "pku_saferlhf"])
def test_rows_of_pairs_come_back_equal(tmp_path, format_name, kind):
    paths, before = exported(judged_study(tmp_path), tmp_path, format_name, kind)
    again = a_study("again")
    for path in paths:
        call_command("import_preferences", "again", path, "--format", format_name)
    assert exported(again, tmp_path, format_name)[1] == before and len(before) == 4


def test_a_difference_in_r_is_not_taken_for_a_strength(tmp_path):
    """It lies between the steps of our scale, so it cannot come back: that is said, and nothing is kept."""
    study = judged_study(tmp_path)
    row = {"prompt_key": "kites-0", "arm_a": A, "arm_b": B, "rater_id": "r2"}
    rows = [row | {"a_safety": "clearly_safe", "b_safety": "clearly_safe"} for row in (row,)]
    path = tmp_path / "scores.jsonl"
    path.write_text(
        "".join(
            json.dumps(one | {"a_helpfulness": 2, "b_helpfulness": 4, "balance": 2}) + "\n" for one in rows
        )
    )
    call_command("import_judgments", "kites", path)
    paths, before = exported(study, tmp_path, "trl_preference", margin="reward")
    assert [(row["margin_kind"], round(row["margin"], 6)) for row in before] == [("reward", 0.666667)]
    a_study("again")
    with pytest.raises(CommandError, match="difference in r"):
        call_command("import_preferences", "again", paths[0])
    assert not Judgment.objects.filter(study__slug="again").exists()
    call_command("import_preferences", "again", paths[0], "--set", "margin_max=1")
    assert abs(Judgment.objects.get(study__slug="again").balance_canonical) == 2


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
    ours = {"judgment_id", "response_id", "rater_id"}  # a snapshot has pseudonyms of its own
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
