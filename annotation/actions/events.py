"""The record of what happened."""

from annotation.models import Enrolment, Event, Study, User


def record(study: Study, verb: str, actor: User | None = None, **detail) -> Event:
    """Append one event; `detail` must be JSON. Belongs inside the transaction of what it records."""
    return Event.objects.create(study=study, verb=verb, actor=actor, detail=detail)


def record_by_rater(rater: Enrolment, verb: str, **detail) -> Event:
    """`record` of what a rater did, under their code in the study."""
    detail = {"rater": rater.code, **detail}
    return Event.objects.create(study=rater.study, verb=verb, actor_id=rater.user_id, detail=detail)
