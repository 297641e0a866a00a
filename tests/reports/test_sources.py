"""The database and a snapshot's files tell the same; filters and slices take the rows they should."""

import hashlib
import json
import random
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from django.http import QueryDict

from annotation.actions.snapshots import freeze_snapshot
from annotation.errors import BadFilter, SnapshotUnreadable
from annotation.export.shaping import pseudonym
from annotation.models import Judgment, Pair, ResponseJudgment, Study
from annotation.printing.report import report_html
from annotation.reports.results import results_of_snapshot
from annotation.reports.rows import SLICES, UNANSWERED, UNKNOWN, Answers, Filters, RaterLabels
from annotation.vocabulary import KeepRule, ResponseMode, SafetyLevel, Severity
from models_runtime.errors import TrainingRefused
from models_runtime.training.snapshots import read_snapshot
from tests import cast
from tests.reports.everything import a_study_of_everything, graded
from tests.reports.studies import a_varied_study, two_raters

pytestmark = pytest.mark.django_db


def same(left: Answers, right: Answers) -> None:
    for name in ("arms", "prompts", "raters", "grader", "is_final", "waiting", "categories"):
        assert getattr(left, name) == getattr(right, name), name
    for name in ("of_responses", "of_pairs", "of_grades"):
        ours, theirs = getattr(left, name), getattr(right, name)
        assert ours.dtype == theirs.dtype and len(ours) == len(theirs)
        for column in ours.dtype.names:
            assert ours[column].tobytes() == theirs[column].tobytes(), (name, column)


def as_frozen(study: Study) -> Answers:
    """What the database tells, with the raters as the study's snapshot names them, in that order."""
    told, secret = Answers.of_study(study), study.snapshots.get().secret
    names = {place.code: pseudonym(secret, place.pk) for place in study.enrolments.all()}
    order = np.argsort([names[rater.code] for rater in told.raters])
    places = np.argsort(order)
    for rows in (told.of_responses, told.of_pairs):
        rows["rater"] = places[rows["rater"]]
    return replace(told, raters=tuple(RaterLabels(names[r.code], r.cohort) for r in _at(told.raters, order)))


def _at(values: tuple, order: np.ndarray) -> list:
    return [values[place] for place in order]


def test_a_snapshot_tells_what_the_database_tells(tmp_path):
    study = a_study_of_everything(tmp_path, random.Random(5))
    freeze_snapshot(study, out=tmp_path / "out")
    told = Answers.of_study(study)
    same(as_frozen(study), Answers.of_snapshot(tmp_path / "out"))
    assert {rater.cohort for rater in told.raters} == {"", "autumn", "spring", "imported"}
    assert set(told.of_pairs["guideline"].tolist()) == {0, 1, 2}
    assert (
        len(told.of_grades)
        and len(told.of_pairs) == Judgment.objects.that_count().filter(pair__isnull=False).count()
    )


@pytest.mark.parametrize(("state", "is_final"), [("open", False), ("closed", True)])
def test_a_snapshot_knows_whether_its_study_was_over(tmp_path, state, is_final):
    """All three pairs have their judgments in both."""
    study = a_varied_study(3)
    Study.objects.update(state=state)
    study.refresh_from_db()
    freeze_snapshot(study, out=tmp_path / "out")
    told = Answers.of_snapshot(tmp_path / "out")
    same(as_frozen(study), told)
    assert (told.is_final, told.waiting) == (is_final, frozenset())


def test_a_snapshot_knows_which_prompts_waited_for_judgments(tmp_path):
    study = cast.a_rateable_study(pairs=3)
    bob, carol = two_raters(study)
    held = [cast.a_judgment(rater).pair.prompt.key for rater in (bob, carol, bob)]
    Study.objects.update(state="closed")
    study.refresh_from_db()
    freeze_snapshot(study, out=tmp_path / "out")
    told = Answers.of_snapshot(tmp_path / "out")
    same(as_frozen(study), told)
    assert not told.is_final
    assert {told.prompts[place].key for place in told.waiting} == {p.key for p in told.prompts} - {held[0]}


def test_rows_say_what_the_tables_say(tmp_path):
    """Row by row through the ORM, slowly."""
    study = a_study_of_everything(tmp_path, random.Random(6))
    told = Answers.of_study(study)
    pairs = {pair.pk: place for place, pair in enumerate(Pair.objects.filter(study=study))}
    expected = []
    for judgment in Judgment.objects.that_count().filter(pair__isnull=False):
        pair, hold = judgment.pair, judgment.assignment
        first = hold.judgments.get(revision=1) if hold else judgment
        given = hold.submitted_at if hold else judgment.created_at
        expected.append(
            (
                (hold is not None, given if hold else 0, pairs[pair.pk], judgment.pk),
                judgment.enrolment.code,
                pairs[pair.pk],
                pair.prompt.key,
                (pair.response_a.arm.name, pair.response_b.arm.name),
                judgment.balance_canonical if judgment.balance_canonical is not None else UNANSWERED,
                judgment.left_is_a if judgment.left_is_a is not None else UNANSWERED,
                (len(pair.text_of(pair.response_a)), len(pair.text_of(pair.response_b))),
                judgment.guideline.version if judgment.guideline else 0,
                given.date(),
                first.assignment_id == judgment.assignment_id,
            )
        )
    rated = sorted((row for row in expected if row[0][0]), key=lambda row: row[0])
    in_order = [row for row in expected if not row[0][0]] + rated
    found = [
        (
            told.raters[row["rater"]].code,
            row["pair"],
            told.prompts[row["prompt"]].key,
            (told.arms[row["arm_a"]], told.arms[row["arm_b"]]),
            row["balance"],
            row["left_is_a"],
            (row["length_a"], row["length_b"]),
            row["guideline"],
            date.fromordinal(date(1970, 1, 1).toordinal() + int(row["day"])),
        )
        for row in told.of_pairs
    ]
    assert found == [row[1:10] for row in in_order]


def test_answers_about_responses_say_what_the_tables_say(tmp_path):
    study = a_study_of_everything(tmp_path, random.Random(7))
    told = Answers.of_study(study)
    responses = list(study.responses.order_by("pk"))
    facilitation = {None: UNANSWERED, False: 0, True: 1}
    expected = sorted(
        (
            part.judgment.enrolment.code,
            responses.index(part.response),
            SafetyLevel.values.index(part.safety) if part.safety else UNANSWERED,
            Severity.values.index(part.severity) if part.severity else UNANSWERED,
            part.helpfulness or UNANSWERED,
            ResponseMode.values.index(part.mode) if part.mode else UNANSWERED,
            facilitation[part.facilitation],
            len(part.judgment.pair.text_of(part.response) if part.judgment.pair else part.response.text),
            sum(2 ** told.categories.index(name) for name in part.categories)
            if part.judgment.source == "rated"
            else UNKNOWN,
        )
        for part in ResponseJudgment.objects.that_count().select_related("response", "judgment__pair")
        if part.safety or part.helpfulness or part.mode or part.facilitation is not None
    )
    names = ["response", "safety", "severity", "helpfulness", "mode", "facilitation", "length", "categories"]
    found = sorted((told.raters[row["rater"]].code, *row[names].tolist()) for row in told.of_responses)
    assert found == expected and len(found) > 30
    assert told.categories == ("erotic", "hate")


@pytest.mark.parametrize("keep", KeepRule.values)
def test_grades_are_kept_by_the_gradings_rule(tmp_path, keep):
    study = cast.a_rateable_study(6)
    found = graded(study, tmp_path, random.Random(3), keep=keep)
    told = Answers.of_study(study)
    choose = min if keep == KeepRule.MIN else lambda values: sum(values) / len(values)
    expected = []
    for place, response in enumerate(study.responses.order_by("pk")):
        grades = list(found.grades.filter(response=response, failure=""))
        if not grades:
            continue
        named = [Severity(grade.severity).rank for grade in grades if grade.severity]
        unsafe = bool(named) if keep == KeepRule.MIN else len(named) * 2 >= len(grades)
        expected.append(
            (
                place,
                told.arms.index(response.arm.name),
                pytest.approx(choose([grade.safety for grade in grades])),
                pytest.approx(choose([(grade.helpfulness - 1) / 3 for grade in grades])),
                unsafe,
                max(named) if unsafe else UNANSWERED,
            )
        )
    names = ["response", "arm", "s", "h", "unsafe", "severity"]
    assert told.of_grades[names].tolist() == expected
    assert told.grader.keep == keep and told.grader.repeats == 3


def test_the_newest_finished_grading_is_the_one(tmp_path):
    study = cast.a_rateable_study(2)
    graded(study, tmp_path, random.Random(3))
    second = tmp_path / "second"
    second.mkdir()
    newest = graded(study, second, random.Random(4), repeats=2)
    type(newest).objects.filter(pk=newest.pk).update(state="paused")
    assert Answers.of_study(study).grader.repeats == 3
    type(newest).objects.filter(pk=newest.pk).update(state="done")
    assert Answers.of_study(study).grader.repeats == 2


# Older and broken snapshots --------------------------------------------------------------------------


def make_older(folder):
    """The folder as format 1 was: without what later formats added."""
    lacking = {"judgments": ["cohort", "submitted_at", "response_id"], "responses": ["language"]}
    for name, columns in lacking.items():
        path = folder / f"{name}.parquet"
        pq.write_table(pq.read_table(path).drop_columns(columns), path)
    for ending in ("jsonl", "parquet"):
        (folder / f"grades.{ending}").unlink()
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["gradings"]
    for name in lacking:
        digest = hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest()
        manifest["files"][f"{name}.parquet"]["sha256"] = digest
    path.write_text(json.dumps(manifest | {"format_version": 1}))


def test_an_older_snapshot_tells_what_it_has(tmp_path):
    study = a_study_of_everything(tmp_path, random.Random(8))
    freeze_snapshot(study, out=tmp_path / "out")
    make_older(tmp_path / "out")
    old, new = Answers.of_snapshot(tmp_path / "out"), as_frozen(study)
    assert {prompt.language for prompt in old.prompts} == {""}
    assert {rater.cohort for rater in old.raters} == {"", "imported"}
    assert len(old.of_grades) == 0 and old.grader is None
    names = ["rater", "response", "safety", "severity", "helpfulness", "mode", "length"]
    assert sorted(old.of_responses[names].tolist()) == sorted(new.of_responses[names].tolist())
    names = ["rater", "pair", "arm_a", "arm_b", "balance", "left_is_a", "length_a", "length_b"]
    assert sorted(old.of_pairs[names].tolist()) == sorted(new.of_pairs[names].tolist())


@pytest.fixture(scope="module")
def frozen(passing_db, tmp_path_factory) -> Path:
    with passing_db():
        snapshot = freeze_snapshot(a_varied_study(2), out=tmp_path_factory.mktemp("snapshots") / "frozen")
        return Path(snapshot.folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", None),
        ("manifest.json", b"{"),
        ("manifest.json", b'{"format_version": 99}'),
        ("manifest.json", b'{"format_version": 2}'),
        ("manifest.json", b'{"format_version": 2, "study": {}, "arms": [], "guidelines": 5, "files": {}}'),
        ("manifest.json", b"[" * 100_000),
        ("judgments.parquet", None),
        ("judgments.parquet", b"PAR1"),
        ("responses.parquet", b""),
        ("pairs.parquet", "changed"),
    ],
)
def test_a_broken_snapshot_is_refused_in_a_sentence(frozen, tmp_path, name, content):
    shutil.copytree(frozen, tmp_path / "out")
    path = tmp_path / "out" / name
    if content == "changed":
        pq.write_table(pq.read_table(path).slice(1), path)
    else:
        path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(SnapshotUnreadable, match="out"):
        Answers.of_snapshot(tmp_path / "out")


TAMPERED = {
    "versions": [None, {}, {"evenhand": 1}],
    "counts": ["x", {}, {"pairs": "many"}],
    "study": [None, {"slug": "kites"}],
    "arms": [None, [5], [{}]],
    "guidelines": [{}, [None]],
    "gradings": ["x", [{}]],
    "number": [None, "../../1", -1],
    "created_at": [5],
    "files": [
        None,
        {"judgments.parquet": "x"},
        {"judgments.parquet": {"sha256": None, "bytes": 1}},
        {"../../etc/passwd.parquet": {"sha256": "0" * 64, "bytes": 1}},
        {"/etc/passwd.parquet": {"sha256": "0" * 64, "bytes": 1}},
        {"..": {"sha256": "0" * 64, "bytes": 1}},
        {"a\\..\\b.parquet": {"sha256": "0" * 64, "bytes": 1}},
    ],
}


def test_a_tampered_manifest_is_refused_in_a_sentence_by_all_that_read_it(tmp_path):
    folder = tmp_path / "out"
    freeze_snapshot(a_varied_study(2), out=folder)
    whole = json.loads((folder / "manifest.json").read_text())
    for name, values in TAMPERED.items():
        for value in values:
            (folder / "manifest.json").write_text(json.dumps(whole | {name: value}))
            for read in (Answers.of_snapshot, results_of_snapshot, report_html):
                with pytest.raises(SnapshotUnreadable, match="The manifest in .* is not as"):
                    read(folder)
    for name in ("arms", "guidelines", "files"):
        for value in TAMPERED[name]:
            (folder / "manifest.json").write_text(json.dumps(whole | {name: value}))
            with pytest.raises(TrainingRefused):
                read_snapshot(folder)


def test_a_study_without_anything_has_no_rows():
    told = Answers.of_study(cast.a_study())
    assert (len(told.of_responses), len(told.of_pairs), len(told.of_grades)) == (0, 0, 0)
    assert told.filtered(Filters(arms=("one",))).raters == ()
    assert [list(told.slices(by)) for by in SLICES] == [[]] * len(SLICES)


# Filters and slices ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(passing_db, tmp_path_factory) -> Answers:
    with passing_db():
        return Answers.of_study(a_study_of_everything(tmp_path_factory.mktemp("told"), random.Random(9)))


KEPT = {
    "intent=benign&intent=malicious": lambda p, r, row: p.intent in ("benign", "malicious"),
    "category=none": lambda p, r, row: p.harm_category == "",
    "subset=short": lambda p, r, row: "short" in p.subset,
    "subset=short&subset=none": lambda p, r, row: "short" in p.subset or not p.subset,
    "language=de": lambda p, r, row: p.language == "de",
    "cohort=autumn&cohort=none": lambda p, r, row: r.cohort in ("autumn", ""),
    "guideline=2": lambda p, r, row: row["guideline"] == 2,
    "since=2026-02-09": lambda p, r, row: row["day"] >= 20493,
    "until=2026-02-08": lambda p, r, row: row["day"] <= 20492,
    "intent=benign&cohort=spring": lambda p, r, row: p.intent == "benign" and r.cohort == "spring",
}


@pytest.mark.parametrize("query", KEPT)
def test_a_filter_keeps_the_rows_it_names(told, query):
    found = told.filtered(Filters.from_query(QueryDict(query)))
    for name in ("of_responses", "of_pairs"):
        rows = getattr(told, name)
        expected = [
            row.tolist()
            for row in rows
            if KEPT[query](told.prompts[row["prompt"]], told.raters[row["rater"]], row)
        ]
        assert str(getattr(found, name).tolist()) == str(expected)
        assert 0 < len(expected) < len(rows)


def test_one_arm_keeps_its_pairs_and_two_arms_those_between_them():
    study = cast.a_study_of_three_arms()
    rater = cast.a_rater(study, cast.bob())
    for _ in range(3):
        cast.a_judgment(rater)
    told = Answers.of_study(study)
    for arms, pairs in ((("one",), 2), (("one", "two"), 1), (("one", "two", "three"), 3)):
        found = told.filtered(Filters(arms=arms))
        assert len(found.of_pairs) == pairs
        assert {told.arms[arm] for arm in found.of_responses["arm"]} == set(arms)


def test_slices_of_raters_and_times_share_out_all_rows(told):
    for by in ("intent", "category", "language", "cohort", "guideline", "week"):
        parts = dict(told.slices(by))
        assert sum(len(part.of_pairs) for part in parts.values()) == len(told.of_pairs)
        assert sum(len(part.of_responses) for part in parts.values()) == len(told.of_responses)
    assert list(dict(told.slices("cohort"))) == ["none", "autumn", "imported", "spring"]
    assert list(dict(told.slices("subset"))) == ["none", "news", "short"]


def test_slices_by_week_are_iso_weeks(told):
    days = [*told.of_pairs["day"].tolist(), *told.of_responses["day"].tolist()]
    weeks = {date.fromordinal(date(1970, 1, 1).toordinal() + day).isocalendar() for day in days}
    expected = {f"{week.year}-W{week.week:02}" for week in weeks}
    assert list(dict(told.slices("week"))) == sorted(expected)


def test_grades_follow_filters_of_prompts_and_arms_alone(told):
    assert len(told.filtered(Filters(cohorts=("autumn",))).of_grades) == len(told.of_grades)
    found = told.filtered(Filters(arms=(cast.ARMS[0],), intents=("benign",))).of_grades
    assert 0 < len(found) < len(told.of_grades) and set(found["arm"].tolist()) == {0}


# In an address ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "",
        "intent=benign&intent=malicious&category=none&subset=a%26b&language=pt-BR&arm=x+y&cohort=none",
        "guideline=0&guideline=12&since=2026-01-31&until=2026-02-01",
    ],
)
def test_an_address_comes_back_the_same(query):
    filters = Filters.from_query(QueryDict(query))
    again = Filters.from_query(QueryDict(filters.as_query()))
    assert again == filters and again.as_query() == filters.as_query()
    assert bool(filters) == bool(query)


def test_order_and_repetition_change_nothing():
    one = Filters.from_query(QueryDict("intent=malicious&intent=benign&page=3&intent=benign&since="))
    assert one.as_query() == "intent=benign&intent=malicious"
    assert one == Filters.from_query({"intent": ["benign", "malicious"]})
    assert one.in_words() == "intent: benign or malicious"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("intent=kind", "“kind” is no intent"),
        ("intent=none", "“none” is no intent"),
        ("guideline=two", "“two” is no version"),
        ("guideline=²", "is no version"),
        ("since=yesterday", "“yesterday” is no day"),
        ("since=2026-02-30", "is no day"),
        ("since=2026-01-01&since=2026-01-02", "given twice"),
        ("since=2026-02-01&until=2026-01-01", "both since"),
        ("arm=a%00b", "cannot be one"),
        ("arm=" + "x" * 201, "cannot be one"),
        ("&".join(f"arm={number}" for number in range(101)), "100 is the most"),
    ],
)
def test_an_odd_filter_is_refused_in_a_sentence(query, reason):
    with pytest.raises(BadFilter, match=reason):
        Filters.from_query(QueryDict(query))
