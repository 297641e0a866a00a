"""The record of what happened."""

from annotation.models import Event, Study, User


def record(study: Study, verb: str, actor: User | None = None, **detail) -> Event:
    """Append one event; `detail` must be JSON. Belongs inside the transaction of what it records."""
    return Event.objects.create(study=study, verb=verb, actor=actor, detail=detail)
