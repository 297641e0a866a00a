"""Snapshots go to the Hugging Face Hub, by a worker."""

from datetime import datetime

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import access, tasks
from annotation.actions import hub
from annotation.api.bases import ForResearchers
from annotation.api.once import once
from annotation.api.schema import an_object, page_of, says
from annotation.api.serializers import OnlyKnownFields, checked
from annotation.errors import HubRefused
from annotation.models import Event
from annotation.vocabulary import TokenScope

PUSH = an_object(
    *("revision", "reason"), state=str, snapshot=int, repository=str, at=datetime, revision=str, reason=str
)
STATES = {"push_to_hub_asked": "asked", "push_to_hub": "pushed", "push_to_hub_failed": "failed"}


class NewPushSerializer(OnlyKnownFields):
    """Private: the command alone makes data public."""

    snapshot = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    repository = serializers.CharField(max_length=200, help_text="A dataset repository, as OWNER/NAME.")

    def validate_repository(self, name: str) -> str:
        try:
            hub.refuse_repository(name)
        except HubRefused as error:
            raise serializers.ValidationError(str(error)) from error
        return name


def push_data(event: Event) -> dict:
    """What became of a push: `revision` is the commit where it arrived, `reason` where it did not."""
    told = {name: event.detail[name] for name in ("revision", "reason") if name in event.detail}
    return {
        "state": STATES[event.verb],
        "snapshot": event.detail.get("snapshot", 0),
        "repository": event.detail["repository"],
        "at": event.created_at,
        **told,
    }


class PushList(ForResearchers, APIView):
    scope = TokenScope.EXPORT

    @says(page_of(PUSH))
    def get(self, request: Request, slug: str) -> Response:
        """What was asked for, arrived or failed, the newest first."""
        return Response({"results": [push_data(event) for event in hub.pushes_of(self.study())]})

    @once
    @says(PUSH, 202, NewPushSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Have a worker push a snapshot's files to a private dataset repository."""
        self.study()
        given = checked(NewPushSerializer, request.data)
        snapshot = access.snapshot_for(request.user, slug, given["snapshot"])
        asked = tasks.ask_for_push(snapshot, given["repository"], request.user)
        asked.refresh_from_db()
        return Response(push_data(asked), status.HTTP_202_ACCEPTED)
