"""Judgments of raters who are paused."""

import pyarrow.parquet as pq
import pytest

from annotation.actions.enrolment import set_state
from annotation.actions.snapshots import freeze_snapshot
from annotation.datasets.making import make_dataset
from annotation.datasets.recipe import Recipe
from annotation.vocabulary import EnrolmentState
from tests import cast

pytestmark = pytest.mark.django_db


def test_a_snapshot_tells_them_and_a_dataset_leaves_them_out(tmp_path):
    study = cast.a_rateable_study(pairs=2, overlap=2)
    bob, carol = cast.a_rater(study, cast.bob()), cast.a_rater(study, cast.carol())
    for rater in (bob, bob, carol):
        cast.a_judgment(rater)
    set_state(bob, EnrolmentState.PAUSED)
    freeze_snapshot(study, out=tmp_path / "frozen")
    rows = pq.read_table(tmp_path / "frozen" / "judgments.parquet").to_pylist()
    assert [row["counts"] for row in rows] == [True] * 3 and sum(row["rater_paused"] for row in rows) == 2
    for rule, used in (("leave_out", 1), ("keep", 3)):
        (tmp_path / rule).mkdir()
        recipe = Recipe("judgments", paused_raters=rule)
        counts = make_dataset(tmp_path / "frozen", recipe, tmp_path / rule)["counts"]["judgments"]
        assert (counts["used"], counts["left_out"]["paused"]) == (used, 3 - used)
