"""Addresses that are told what happens in a study, over JSON, and a person's own tokens."""

from django.db.models import QuerySet
from rest_framework import generics, serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle
from rest_framework.views import APIView

from annotation import access
from annotation.actions import tokens, webhooks
from annotation.api.bases import ForResearchers
from annotation.api.filters import DeliveryFilter
from annotation.api.schema import says
from annotation.api.serializers import (
    DeliverySerializer,
    MadeWebhookSerializer,
    NewWebhookSerializer,
    WebhookChangesSerializer,
    WebhookSerializer,
    checked,
)
from annotation.models import ApiToken, Delivery, Webhook
from annotation.vocabulary import TokenScope


class WebhookList(ForResearchers, generics.ListAPIView):
    """The addresses that are told, without their secrets."""

    serializer_class = WebhookSerializer
    queryset = Webhook.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Webhook]:
        return self.study().webhooks.all()

    @says(MadeWebhookSerializer, 201, NewWebhookSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Have an address told of events. The `secret` that signs is told this once."""
        study, given = self.study(), checked(NewWebhookSerializer, request.data)
        made = webhooks.make_webhook(study, given["url"], given["events"], request.user)
        made.refresh_from_db()
        return Response(MadeWebhookSerializer(made).data, status.HTTP_201_CREATED)


class WebhookDetail(ForResearchers, APIView):
    @says(WebhookSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """One address, whether it is told anything, and if not why."""
        return Response(WebhookSerializer(access.webhook_in(self.study(), pk)).data)

    @says(WebhookSerializer, 200, WebhookChangesSerializer)
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        """Tell it of other events, or switch it off and on."""
        found, given = access.webhook_in(self.study(), pk), checked(WebhookChangesSerializer, request.data)
        webhooks.change_webhook(found, given.get("events"), given.get("on"), request.user)
        return Response(WebhookSerializer(found).data)

    @says(status=204)
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        """Tell the address nothing more, and forget what it was told."""
        webhooks.remove_webhook(access.webhook_in(self.study(), pk), request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class DeliveryList(ForResearchers, generics.ListAPIView):
    """What the address was told, and whether it heard."""

    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    queryset = Delivery.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[Delivery]:
        return access.webhook_in(self.study(), self.kwargs["pk"]).deliveries.all()


class Resend(ForResearchers, APIView):
    @says(DeliverySerializer)
    def post(self, request: Request, slug: str, pk: int, delivery: int) -> Response:
        """Tell it again."""
        found = access.delivery_in(access.webhook_in(self.study(), pk), delivery)
        return Response(DeliverySerializer(webhooks.resend(found, request.user)).data)


# Tokens ----------------------------------------------------------------------------------------------


class TokenSerializer(serializers.ModelSerializer):
    """A token; its secret is kept nowhere, only how it starts."""

    id = serializers.IntegerField(source="pk", read_only=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=TokenScope.choices), read_only=True)

    class Meta:
        model = ApiToken
        fields = ["id", "name", "start", "scopes", "created_at", "expires_at", "used_at"]
        read_only_fields = fields


class OwnTokens:
    """Anybody's own, whatever the scope of the token that asks; which it may revoke, see TokenDetail."""

    permission_classes = [IsAuthenticated]
    throttle_classes = [AnonRateThrottle, UserRateThrottle]


class TokenList(OwnTokens, generics.ListAPIView):
    """Your tokens. New ones are made on the desk, so that a token which leaks makes no others."""

    serializer_class = TokenSerializer
    queryset = ApiToken.objects.none()  # for the specification

    def get_queryset(self) -> QuerySet[ApiToken]:
        return access.tokens_of(self.request.user)


class TokenDetail(OwnTokens, APIView):
    @says(status=204)
    def delete(self, request: Request, pk: int) -> Response:
        """Revoke a token of yours: it opens nothing from now on.

        A token without the scope `write` revokes itself alone.
        """
        found = access.token_of(request.user, pk)
        if isinstance(request.auth, ApiToken) and found != request.auth:
            _refuse_unless_writes(request.auth)
        tokens.revoke_token(found)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _refuse_unless_writes(token: ApiToken) -> None:
    """What leaks and could only look should not lock its owner's other programs out."""
    if not token.may(TokenScope.WRITE):
        raise PermissionDenied("This token was not made for the scope “write”, so it revokes itself alone.")
