"""What a snapshot says about itself: enough to tell how it was made, and to see whether a file changed."""

import platform
import subprocess
from datetime import datetime

import django
import pyarrow
from django.conf import settings

from annotation.export.preferences import RULE, RULE_IN_WORDS, RULE_VERSION
from annotation.export.tables import Written
from annotation.models import Arm, Grading, Study
from annotation.models.model_settings import public_name
from annotation.version import evenhand_version

FORMAT_VERSION = 2
CONSISTENCY = (
    "Judgments and preferences come from one SELECT, answered from one moment: a judgment given while the "
    "snapshot was made is in all of its files or in none. "
    "Pairs, grades and responses are read after it, and every response that is judged or graded is there."
)


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
        "guidelines": list(study.guidelines.order_by("version").values("version", "body")),
        "preference_rule": {
            "name": RULE,
            "version": RULE_VERSION,
            "words": RULE_IN_WORDS,
            "min_judgments": min_judgments,
        },
        "consistency": CONSISTENCY,
        "counts": written.counts,
        "versions": made_with,
        "files": written.files,
    }


def _study(study: Study) -> dict:
    fields = ("slug", "title", "question", "state", "overlap", "allow_tie", "matched_sampling")
    fields += ("guideline_condition", "seed")
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
        "pyarrow": pyarrow.__version__,
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
