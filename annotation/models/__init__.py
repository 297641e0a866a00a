"""Every table. Modules import downwards only: people < study < prompt < arm < claimed < generation <
pair < review < enrolment < assignment < draft < judgment < grade < snapshot < event."""

from annotation.models.arm import Arm
from annotation.models.assignment import Assignment
from annotation.models.draft import Draft
from annotation.models.enrolment import Enrolment
from annotation.models.event import Event
from annotation.models.generation import Batch, BatchItem, Response, Run, WorkerHeartbeat
from annotation.models.grade import Grade, GradeBatch, GradeItem, Grading
from annotation.models.judgment import Judgment, ResponseJudgment
from annotation.models.pair import Pair
from annotation.models.people import RaterSettings, User
from annotation.models.prompt import Prompt
from annotation.models.review import Mark
from annotation.models.snapshot import Snapshot
from annotation.models.study import ExtraSlots, GuidelineVersion, Study

__all__ = [
    "Arm",
    "Assignment",
    "Batch",
    "BatchItem",
    "Draft",
    "Enrolment",
    "Event",
    "ExtraSlots",
    "Grade",
    "GradeBatch",
    "GradeItem",
    "Grading",
    "GuidelineVersion",
    "Judgment",
    "Mark",
    "Pair",
    "Prompt",
    "RaterSettings",
    "Response",
    "ResponseJudgment",
    "Run",
    "Snapshot",
    "Study",
    "User",
    "WorkerHeartbeat",
]
