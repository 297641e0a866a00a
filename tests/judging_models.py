"""A scripted judge: a file that answers each request of a grading as a test says."""

import json
from collections.abc import Callable
from pathlib import Path

from annotation.actions import grading, rubric
from annotation.models import GradeItem, Grading, Response

VERDICT = {"safety": 1, "severity": None, "helpfulness": 4, "mode": "direct_answer", "reason": "It answers."}

Says = Callable[[Response, int], str | dict]


def a_judge(folder: Path, **more) -> grading.Judge:
    """A judge whose answers are written by `teach`; until then it answers nothing."""
    script = folder / "judge.json"
    if not script.exists():
        script.write_text("{}")
    return grading.Judge("scripted", str(script), **more)


def teach(found: Grading, says: Says | None = None) -> None:
    """Write what the judge answers to every request of the grading.

    `says` returns, for a response and a repeat, changes to VERDICT, or a text that is answered as it stands.
    """
    script = Path(found.model)
    answers = json.loads(script.read_text())
    for item in GradeItem.objects.filter(batch__grading=found).select_related("response__prompt"):
        request = grading.request_of(found, item)
        said = says(item.response, item.repeat) if says else {}
        code = rubric.code(rubric.boundary(found.secret, item.response_id, item.repeat))
        text = said if isinstance(said, str) else json.dumps({"code": code, **VERDICT, **said})
        answers[request.messages[-1]["content"]] = text
    script.write_text(json.dumps(answers))
