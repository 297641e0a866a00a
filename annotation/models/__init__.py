"""Every table. Modules import downwards only, in the order of the list below."""

from annotation.models.people import User
from annotation.models.study import GuidelineVersion, Study
from annotation.models.prompt import Prompt  # isort: skip
from annotation.models.arm import Arm  # isort: skip
from annotation.models.generation import Batch, BatchItem, Response, Run, WorkerHeartbeat  # isort: skip
from annotation.models.pair import Pair  # isort: skip
from annotation.models.enrolment import Enrolment  # isort: skip
from annotation.models.assignment import Assignment  # isort: skip
from annotation.models.judgment import Judgment, ResponseJudgment  # isort: skip
from annotation.models.snapshot import Snapshot  # isort: skip
from annotation.models.event import Event  # isort: skip

__all__ = [
    "Arm",
    "Assignment",
    "Batch",
    "BatchItem",
    "Enrolment",
    "Event",
    "GuidelineVersion",
    "Judgment",
    "Pair",
    "Prompt",
    "Response",
    "ResponseJudgment",
    "Run",
    "Snapshot",
    "Study",
    "User",
    "WorkerHeartbeat",
]
