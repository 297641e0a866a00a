"""What the domain refuses. Each message is a sentence for the person who gets it."""

from datetime import datetime, timedelta


class DomainError(Exception):
    """Base of every refusal; `str(error)` may be shown to the person who caused it."""


class NotFound(DomainError):
    """The thing does not exist, or is not this person's: both look alike from outside."""


class NotAllowed(DomainError):
    """The person sees the thing, but their role in its study does not let them do this to it."""


class MemberRefused(DomainError):
    """A member who cannot be added, changed or removed so; the message says why."""


class StudyClosed(DomainError):
    """The study takes no judgments at the moment."""


class NotQualified(DomainError):
    """The rater may not rate in this study."""


class QualityRefused(DomainError):
    """A gold pair, a rule or a decision about a rater that cannot stand; the message says why."""


class NotReady(NotQualified):
    """Something comes before the first pair; `page` names the rater's page for it."""

    def __init__(self, message: str, page: str):
        super().__init__(message)
        self.page = page


class JoinRefused(DomainError):
    """A link that lets nobody in at the moment; the message says why."""


class AlreadyJoined(JoinRefused):
    """The platform's person has a place already; only its own browser or return code opens it."""


class CapReached(NotQualified):
    """The rater has judged as many pairs as they may; `again_at` says when they may go on, None for never."""

    def __init__(self, message: str, again_at: datetime | None = None):
        super().__init__(message)
        self.again_at = again_at


class ExposureReached(CapReached):
    """The rater has met as much sensitive content as the study gives in a day."""


class NothingFree(DomainError):
    """No pair this instant, but more to come: `next_free_at` says when, or None while they are prepared."""

    def __init__(self, next_free_at: datetime | None):
        waiting_for = "is being rated right now" if next_free_at else "is still being prepared"
        super().__init__(f"Every pair left for you {waiting_for}.")
        self.next_free_at = next_free_at


class NothingLeft(DomainError):
    """This rater has judged every pair that still needed a judgment."""


class LeaseLost(DomainError):
    """The hold on the pair ended before the answers arrived."""


class DraftConflict(DomainError):
    """Another window kept newer answers; `draft` is what is kept there, None where nothing is any more."""

    def __init__(self, draft):
        super().__init__("Another window has newer answers to this pair.")
        self.draft = draft


class AlreadySubmitted(DomainError):
    """The assignment has a judgment, sent with another idempotency key."""


class CorrectionTooLate(DomainError):
    """The answers were sent too long ago to be corrected."""

    SENTENCE = "Answers can be corrected for %(minutes)s minutes after they were sent. The first ones stay."

    def __init__(self, grace: timedelta):
        self.figures = {"minutes": int(grace.total_seconds() // 60)}
        super().__init__(self.SENTENCE % self.figures)


class InvalidAnswer(DomainError):
    """Answers that contradict each other or the study's rules."""


class StudyRefused(DomainError):
    """A change of a study that cannot be made; the message says why, and what can be done instead."""


class RunRefused(DomainError):
    """A run cannot start or go on; the message says what to change."""


class ReviewRefused(DomainError):
    """A decision about marked pairs that cannot be carried out; the message says why."""


class GradingRefused(DomainError):
    """A grading cannot start or go on; the message says what to change."""


class NotAVerdict(DomainError):
    """What a judge model wrote holds no verdict that can be used; the message says why."""


class ImportRefused(DomainError):
    """A file that was not imported; `problems` lists (line number, reason)."""

    def __init__(self, problems: list[tuple[int, str]], message: str):
        super().__init__(message)
        self.problems = problems


class HubRefused(DomainError):
    """Data that could not be pushed to, or pulled from, a hub; the message says why."""


class NothingToFreeze(DomainError):
    """A snapshot of no judgments would help nobody."""


class SnapshotRefused(DomainError):
    """The files of a snapshot could not be written where they should be; nothing of it was kept."""


class NoRoom(DomainError):
    """The server's disk is full, so nothing was made; the message says what to do."""


class BadFilter(DomainError):
    """A filter of a report that cannot be; the message says why."""


class SnapshotUnreadable(DomainError):
    """A snapshot whose files are not there, changed, or not those of a snapshot."""


class BadPlan(DomainError):
    """Assumptions about a study that contradict each other or are no numbers; the message says which."""


class PdfUnavailable(DomainError):
    """A PDF cannot be made on this machine; the message says what to install."""


class ReportRefused(DomainError):
    """A report could not be written where it should be; nothing of it was kept."""


class ArmRefused(DomainError):
    """A tuned model that cannot become an arm; the message says why."""


class DatasetRefused(DomainError):
    """A dataset that cannot be made; the message says why. Nothing of it was kept."""


class BadRecipe(DatasetRefused):
    """Rules of a dataset that cannot be; the message says which and why."""


class BadTraining(DomainError):
    """A training that cannot start, stop or go on; the message says what to change."""


class BadSetting(DomainError):
    """A setting of a training that is not known, or not what it may be; the message says which."""


class BackupRefused(DomainError):
    """A backup cannot be made, or not be restored here; the message says why and what to do."""


class TokenRefused(DomainError):
    """A token that cannot be made; the message says what to change."""


class KeyInUse(DomainError):
    """An idempotency key that stands for another write, or for one that has not ended."""


class StudyMoved(DomainError):
    """The study is not as it was when the person read it, so what they changed may not fit any more."""


class WebhookRefused(DomainError):
    """An address that cannot be told of events; the message says what to change."""


class PromptRefused(DomainError):
    """A prompt that cannot be kept, changed or removed; the message says why."""


class PromptsRefused(DomainError):
    """One of several prompts that come in together; `place` is its own among them, from 0."""

    def __init__(self, place: int, message: str):
        super().__init__(message)
        self.place = place
