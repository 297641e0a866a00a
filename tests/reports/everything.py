"""A study with all that a judgment can be: corrected, surplus, withdrawn, imported, masked, gold, of several
guidelines and links."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.core.management import call_command

from annotation.actions import grading, joining
from annotation.actions.claims import claim_next_pair
from annotation.actions.enrolment import enrol
from annotation.actions.gold import make_gold
from annotation.actions.joining import Visitor
from annotation.actions.judging import revise_judgment, submit_judgment
from annotation.actions.quality import withdraw_work
from annotation.actions.studies import add_guideline
from annotation.models import Assignment, Enrolment, Grading, Prompt, Study
from annotation.vocabulary import AssignmentState, GuidelineCondition, PairState, ReviewDecision
from models_runtime.worker import BackendCache
from tests import cast
from tests.judging_models import a_judge, teach
from tests.reports.studies import random_answers

START = datetime(2026, 2, 2, 12, tzinfo=UTC)  # a Monday


def a_study_of_everything(folder: Path, draw) -> Study:
    """Eight pairs, two of them gold; six raters. `draw` is a `random.Random`."""
    study = cast.a_rateable_study(8, overlap=6, guideline_condition=GuidelineCondition.POLICY_GIVEN)
    _label(study)
    add_guideline(study, "Judge what the answer gives.")
    for pair in study.pairs.order_by("pk")[:2]:
        make_gold(pair, {"balance": 2})
    Study.objects.filter(pk=study.pk).update(gold_percent=30, repeat_percent=30)
    _mask_some(study)
    study.refresh_from_db()
    enrolled, senior = enrol(study, cast.bob()), enrol(study, cast.carol())
    judged = [_judge_all(rater, draw, week) for week, rater in enumerate((enrolled, senior))]
    add_guideline(study, "Judge what the answer gives, and nothing else.")
    for label in ("autumn", "spring"):
        link, _ = joining.make_link(study, label)
        _judge_all(joining.join(link, Visitor(), 0)[0], draw, week=3)
    revise_judgment(judged[0][0], random_answers(draw), "corrected", at=START)
    _make_surplus(judged[1][1])
    lazy = enrol(study, cast.dan())
    _judge_all(lazy, draw, week=1)
    withdraw_work(lazy, "Too quick.")
    _import(study, folder)
    graded(study, folder, draw)
    return study


def graded(study: Study, folder: Path, draw, repeats: int = 3, **how) -> Grading:
    """A finished grading with verdicts of all kinds and some failures."""
    found = grading.start_grading(study, a_judge(folder), repeats=repeats, **how)
    teach(found, lambda response, repeat: _verdict(draw))
    while batch := grading.claim_batch(found.pk, "test"):
        grading.grade(batch, BackendCache())
    found.refresh_from_db()
    return found


def _verdict(draw) -> str | dict:
    if draw.random() < 0.2:
        return "I would rather not say."
    severity = draw.choice([None, "negligible", "low", "high"])
    safety = 1 if severity is None else draw.choice([0, 0.33, 0.67])
    return {"safety": safety, "severity": severity, "helpfulness": draw.randint(1, 4)}


def _label(study: Study) -> None:
    labels = [("", [], ""), ("hate", ["short", "news"], "de"), ("illicit", ["news"], "en")]
    for number, prompt in enumerate(study.prompts.order_by("key")):
        category, subset, language = labels[number % 3]
        Prompt.objects.filter(pk=prompt.pk).update(harm_category=category, subset=subset, language=language)


def _mask_some(study: Study) -> None:
    masked = study.pairs.filter(state=PairState.OPEN).order_by("pk")[:3]
    study.pairs.filter(pk__in=[pair.pk for pair in masked]).update(
        decision=ReviewDecision.MASK, shown_b="Größe: █ und 🙂"
    )


def _judge_all(rater: Enrolment, draw, week: int) -> list[Assignment]:
    """Everything that comes to the rater, one a minute in that week."""
    held = []
    for minute in range(6):
        assignment = claim_next_pair(rater)
        submit_judgment(assignment, random_answers(draw), uuid.uuid4().hex)
        claimed = START + timedelta(weeks=week, minutes=minute)
        sent = claimed + timedelta(seconds=draw.uniform(5, 50))
        Assignment.objects.filter(pk=assignment.pk).update(claimed_at=claimed, submitted_at=sent)
        held.append(assignment)
    return [assignment for assignment in held if assignment.kind == "rated"]


def _make_surplus(assignment: Assignment) -> None:
    changed = Assignment.objects.filter(pk=assignment.pk, state=AssignmentState.SUBMITTED)
    assert changed.update(state=AssignmentState.SURPLUS, slot=None) == 1


def _import(study: Study, folder: Path) -> None:
    a, b = cast.ARMS
    single = {"prompt_key": "kites-3", "arm": b, "rater_id": "x1", "safety": "probably_unsafe"}
    both = {"prompt_key": "kites-3", "arm_a": b, "arm_b": a, "rater_id": "x2", "balance": 1, "left_arm": a}
    more = {"a_facilitation": True, "b_helpfulness": 4, "created_at": "2025-12-30T23:59:59Z"}
    short = {"prompt_key": "kites-4", "arm": a, "rater_id": "x1", "helpfulness": 2}
    rows = [single, both | more, short, {**both, "prompt_key": "kites-4", "left_arm": ""}]
    path = folder / "judgments.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    call_command("import_judgments", study.slug, path)
