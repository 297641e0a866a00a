"""What a snapshot says about itself: enough to tell how it was made, and to see whether a file changed."""

import hashlib
import json
import platform
import subprocess
from datetime import datetime

import django
import duckdb
import numpy
import pyarrow
from django.conf import settings
from django.db.models import Choices, Count
from django.utils.translation import override

from annotation.export.preferences import RULE, RULE_IN_WORDS, RULE_VERSION
from annotation.export.tables import Written
from annotation.models import Arm, Grading, GuidelineVersion, Judgment, Study
from annotation.models.model_settings import public_name
from annotation.version import evenhand_version
from annotation.vocabulary import (
    PAIR_QUESTIONS,
    PAIR_SCALE,
    AssignmentKind,
    Confidence,
    Helpfulness,
    ResponseMode,
    SafetyLevel,
    Severity,
)

FORMAT_VERSION = 3
CONSISTENCY = (
    "All tables are read from one moment: a judgment given while the snapshot was made is in all of its "
    "files or in none."
)
PSEUDONYMS = (
    "rater_id and judgment_id are made for this snapshot alone: no other snapshot, and no page of the study, "
    "knows a rater by them. The same judgment in two snapshots can still be recognised by what it says."
)
QUESTIONS_VERSION = 1
"""Goes up when what raters are asked, or the levels they choose from, change."""

NOT_FROZEN = {
    AssignmentKind.GOLD: "pairs whose answer was known",
    AssignmentKind.REPEAT: "pairs that a rater met a second time",
    AssignmentKind.PRACTICE: "practice",
    AssignmentKind.QUIZ: "the quiz before the first pair",
    AssignmentKind.SENIOR: "adjudication of disputes by a senior rater",
}


def manifest_of(
    study: Study,
    number: int,
    created_at: datetime,
    written: Written,
    min_judgments: int,
    made_with: dict,
) -> dict:
    """All of it as JSON values; `made_with` is what `versions()` said."""
    return {
        "format_version": FORMAT_VERSION,
        "number": number,
        "created_at": created_at.isoformat(),
        "study": _study(study),
        "arms": [_arm(arm) for arm in study.arms.all()],
        "gradings": [_grading(grading) for grading in written.gradings],
        "guidelines": [_guideline(guideline) for guideline in study.guidelines.order_by("version")],
        "questions": questions(),
        "filters": {"min_judgments": min_judgments},
        "preference_rule": {
            "name": RULE,
            "version": RULE_VERSION,
            "words": RULE_IN_WORDS,
            "min_judgments": min_judgments,
        },
        "consistency": CONSISTENCY,
        "pseudonyms": PSEUDONYMS,
        "counts": written.counts,
        "judgments_not_frozen": _not_frozen(study),
        "versions": made_with,
        "files": written.files,
    }


def manifest_text(manifest: dict) -> str:
    """The manifest's file. The same for what a database kept of it, whatever order that gives the names."""
    return json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def questions() -> dict:
    """What raters are asked, as the columns name it, with the levels of each answer."""
    levels: dict[str, type[Choices]] = {
        "safety": SafetyLevel,
        "severity": Severity,
        "helpfulness": Helpfulness,
        "mode": ResponseMode,
        "confidence": Confidence,
    }
    asked = {
        **{
            name: [{"value": level.value, "label": _english(level)} for level in levels[name]]
            for name in levels
        },
        **{name: {"least": PAIR_SCALE[0], "most": PAIR_SCALE[-1]} for name in PAIR_QUESTIONS},
    }
    return {"version": QUESTIONS_VERSION, "asked": asked}


def _english(level: Choices) -> str:
    with override("en"):
        return str(level.label)


def _not_frozen(study: Study) -> list[dict]:
    """Judgments that stand in no table, by the kind of pair that they were made for; they are in no count."""
    kinds = Judgment.objects.filter(study=study, assignment__kind__in=NOT_FROZEN).order_by()
    found = dict(kinds.values_list("assignment__kind").annotate(Count("pk")))
    return [
        {"kind": kind.value, "why": why, "judgments": found.get(kind.value, 0)}
        for kind, why in NOT_FROZEN.items()
    ]


def _guideline(guideline: GuidelineVersion) -> dict:
    digest = hashlib.sha256(guideline.body.encode()).hexdigest()
    return {"version": guideline.version, "body": guideline.body, "sha256": digest}


def _study(study: Study) -> dict:
    fields = ("slug", "title", "question", "state", "overlap", "allow_tie", "matched_sampling")
    fields += ("guideline_condition", "seed", "harm_categories", "overlap_max", "extra_budget")
    fields += ("gold_percent", "repeat_percent", "practice_needed", "quiz_pass_percent", "dispute_spread")
    fields += ("cap_per_day", "cap_total", "consent_version", "pairing", "further_questions")
    return {field: getattr(study, field) for field in fields}


def _arm(arm: Arm) -> dict:
    fields = ("name", "position", "backend", "revision", "dtype", "quantization", "chat_template")
    fields += ("system_prompt", "sampling")
    public = {field: public_name(getattr(arm, field)) for field in ("model", "adapter")}
    return {**{field: getattr(arm, field) for field in fields}, **public}


def _grading(grading: Grading) -> dict:
    fields = ("backend", "revision", "dtype", "quantization", "chat_template", "sampling", "state")
    fields += ("guideline_condition", "rubric_version", "rubric_sha256", "settings_sha256")
    fields += ("repeats", "keep", "seed")
    return {
        "grading_id": grading.pk,
        "model": public_name(grading.model),
        "adapter": public_name(grading.adapter),
        "guideline_version": grading.guideline and grading.guideline.version,
        **{field: getattr(grading, field) for field in fields},
    }


def versions() -> dict:
    """Of what wrote the files. `code_revision` is None where the code is not a checkout."""
    return {
        "evenhand": evenhand_version(),
        "python": platform.python_version(),
        "django": django.__version__,
        "numpy": numpy.__version__,
        "pyarrow": pyarrow.__version__,
        "duckdb": duckdb.__version__,
        "code_revision": _code_revision(),
    }


def _code_revision() -> str | None:
    if not (settings.BASE_DIR / ".git").exists():
        return None
    command = ["git", "-C", str(settings.BASE_DIR), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
