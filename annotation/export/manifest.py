"""What a snapshot says about itself: enough to tell how it was made, and to see whether a file changed."""

import platform
import subprocess
import tomllib
from datetime import datetime

import django
import pyarrow
from django.conf import settings

from annotation.export.preferences import RULE, RULE_IN_WORDS, RULE_VERSION
from annotation.models import Arm, Study
from annotation.models.model_settings import public_name

FORMAT_VERSION = 1
CONSISTENCY = (
    "Judgments and preferences come from one SELECT, answered from one moment: a judgment given while the "
    "snapshot was made is in all of its files or in none. "
    "Pairs and responses are read after it and include every one that is judged."
)


def manifest_of(
    study: Study,
    number: int,
    created_at: datetime,
    files: dict,
    counts: dict,
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
        "guidelines": list(study.guidelines.order_by("version").values("version", "body")),
        "preference_rule": {
            "name": RULE,
            "version": RULE_VERSION,
            "words": RULE_IN_WORDS,
            "min_judgments": min_judgments,
        },
        "consistency": CONSISTENCY,
        "counts": counts,
        "versions": made_with,
        "files": files,
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


def versions() -> dict:
    """Of what wrote the files. `code_revision` is None where the code is not a checkout."""
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        evenhand = tomllib.load(file)["project"]["version"]
    return {
        "evenhand": evenhand,
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
