"""Every table. Modules import downwards only: people < study < prompt < model_settings < arm < claimed <
generation < pair < review < enrolment < joining < assignment < draft < judgment < grade < snapshot <
event."""

from annotation.models.arm import Arm
from annotation.models.assignment import Assignment
from annotation.models.draft import Draft
from annotation.models.enrolment import Enrolment
from annotation.models.event import Event
from annotation.models.generation import Batch, BatchItem, Response, Run, WorkerHeartbeat
from annotation.models.grade import Grade, GradeBatch, GradeItem, Grading
from annotation.models.joining import Arrival, Consent, ConsentVersion, InvitationLink
from annotation.models.judgment import Judgment, ResponseJudgment
from annotation.models.pair import Pair
from annotation.models.people import RaterSettings, User
from annotation.models.prompt import Prompt
from annotation.models.review import Mark
from annotation.models.snapshot import Snapshot
from annotation.models.study import ExtraSlots, GuidelineVersion, Study

__all__ = [
    "Arm",
    "Arrival",
    "Assignment",
    "Batch",
    "BatchItem",
    "Consent",
    "ConsentVersion",
    "Draft",
    "Enrolment",
    "Event",
    "ExtraSlots",
    "Grade",
    "GradeBatch",
    "GradeItem",
    "Grading",
    "GuidelineVersion",
    "InvitationLink",
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
