"""The record of what happened, and what of it the study's addresses are told."""

from collections.abc import Callable

from django.utils import timezone

from annotation.models import Delivery, Enrolment, Event, Study, User, Webhook
from annotation.vocabulary import EnrolmentState, WebhookEvent


def record(study: Study, verb: str, actor: User | None = None, **detail) -> Event:
    """Append one event; `detail` must be JSON. Belongs inside the transaction of what it records."""
    event = Event.objects.create(study=study, verb=verb, actor=actor, detail=detail)
    if verb in TOLD:
        _tell(study, verb, detail)
    return event


def record_by_rater(rater: Enrolment, verb: str, **detail) -> Event:
    """`record` of what a rater did, under their code in the study."""
    detail = {"rater": rater.code, **detail}
    return Event.objects.create(study=rater.study, verb=verb, actor_id=rater.user_id, detail=detail)


# What addresses are told: the rows are written here, in the transaction of what happened, and sent later.


def _paused(detail: dict) -> dict | None:
    return {"rater": detail["rater"]} if detail["state"] == EnrolmentState.PAUSED else None


TOLD: dict[str, tuple[WebhookEvent, Callable[[dict], dict | None]]] = {
    "finish_run": (WebhookEvent.RUN_FINISHED, lambda detail: {"run": detail["run"]}),
    "complete_study": (WebhookEvent.STUDY_COMPLETE, lambda detail: {"pairs": detail["pairs"]}),
    "set_rater_state": (WebhookEvent.RATER_PAUSED, _paused),
    "freeze_snapshot": (WebhookEvent.SNAPSHOT_FROZEN, lambda detail: {"snapshot": detail["number"]}),
}
"""Of each verb, the event that addresses know it by and what they are told; None tells nothing."""


def _tell(study: Study, verb: str, detail: dict) -> None:
    event, said_of = TOLD[verb]
    said = said_of(detail)
    if said is None:
        return
    now = timezone.now()
    body = {"type": event.value, "timestamp": now.isoformat(), "data": {"study": study.slug, **said}}
    wanting = [
        webhook for webhook in Webhook.objects.filter(study=study, off_reason="") if event in webhook.events
    ]
    Delivery.objects.bulk_create(
        Delivery(webhook=webhook, event=event, body=body, next_at=now) for webhook in wanting
    )
