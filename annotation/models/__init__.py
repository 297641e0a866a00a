"""Every table. Modules import downwards only: people < study < membership < prompt < model_settings < arm <
claimed < generation < pair < review < gold < enrolment < quality < joining < assignment < flag < draft <
judgment < adjudication < grade < snapshot < report < dataset < file import < training < pulse < event."""

from annotation.models.adjudication import Adjudication
from annotation.models.arm import Arm
from annotation.models.assignment import Assignment
from annotation.models.dataset import Dataset
from annotation.models.draft import Draft
from annotation.models.enrolment import Enrolment
from annotation.models.event import Event
from annotation.models.file_import import FileImport, ImportProblem
from annotation.models.flag import FlagAnswer
from annotation.models.generation import Batch, BatchItem, Response, Run, WorkerHeartbeat
from annotation.models.gold import Gold
from annotation.models.grade import Grade, GradeBatch, GradeItem, Grading
from annotation.models.joining import Arrival, Consent, ConsentVersion, InvitationLink
from annotation.models.judgment import Judgment, ResponseJudgment
from annotation.models.membership import MemberInvitation, Membership
from annotation.models.pair import Pair
from annotation.models.people import RaterSettings, User
from annotation.models.prompt import Prompt
from annotation.models.pulse import Pulse, RaterPulse
from annotation.models.quality import Appeal, QualityRules
from annotation.models.report import Report, ReportTable
from annotation.models.review import Mark
from annotation.models.snapshot import Freezing, Snapshot
from annotation.models.study import ExtraSlots, GuidelineVersion, Study
from annotation.models.training import Training, TrainingMetric

__all__ = [
    "FileImport",
    "Adjudication",
    "Appeal",
    "Arm",
    "Arrival",
    "Assignment",
    "Batch",
    "BatchItem",
    "Consent",
    "ConsentVersion",
    "Dataset",
    "Draft",
    "Enrolment",
    "Event",
    "ExtraSlots",
    "FlagAnswer",
    "Freezing",
    "Gold",
    "Grade",
    "GradeBatch",
    "GradeItem",
    "Grading",
    "GuidelineVersion",
    "ImportProblem",
    "InvitationLink",
    "Judgment",
    "Mark",
    "MemberInvitation",
    "Membership",
    "Pair",
    "Prompt",
    "Pulse",
    "QualityRules",
    "RaterPulse",
    "RaterSettings",
    "Report",
    "ReportTable",
    "Response",
    "ResponseJudgment",
    "Run",
    "Snapshot",
    "Study",
    "Training",
    "TrainingMetric",
    "User",
    "WorkerHeartbeat",
]
