"""An organisation's own log-in, with a provider that stands in on this machine."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.cache import cache
from django.test import Client
from jwt.algorithms import RSAAlgorithm

from annotation.models import User
from tests import cast

pytestmark = pytest.mark.django_db

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CALLBACK = "/accounts/oidc/organisation/login/callback/"


class Provider(BaseHTTPRequestHandler):
    """Answers as an OpenID Connect provider does, about one person."""

    def do_GET(self) -> None:
        base = f"http://127.0.0.1:{self.server.server_port}"
        if "well-known" in self.path:
            names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
            self._send({name: f"{base}/{name}" for name in names} | {"issuer": base})
        elif self.path.startswith("/jwks"):
            self._send(
                {"keys": [json.loads(RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k", "alg": "RS256"}]}
            )
        else:
            self._send(self.server.person)

    def do_POST(self) -> None:
        self.server.asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        base, now = f"http://127.0.0.1:{self.server.server_port}", int(time.time())
        claims = {**self.server.person, "iss": base, "aud": "evenhand", "iat": now, "exp": now + 60}
        token = jwt.encode(claims, KEY, "RS256", headers={"kid": "k"})
        self._send({"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token})

    def _send(self, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def provider(settings) -> Iterator[ThreadingHTTPServer]:
    cache.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.person = {"sub": "42", "preferred_username": "erin", "email": "alice@example.org"}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.OIDC = True
    app = {
        "provider_id": "organisation",
        "name": "the lab",
        "client_id": "evenhand",
        "secret": "s",
        "settings": {"server_url": f"http://127.0.0.1:{server.server_port}"},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
    yield server
    server.shutdown()
    server.server_close()


def log_in(client: Client):
    """There and back again, as a browser goes."""
    there = client.get("/accounts/oidc/organisation/login/")
    asked = parse_qs(urlsplit(there.url).query)
    assert asked["code_challenge_method"] == ["S256"]
    return client.get(CALLBACK, {"code": "c", "state": asked["state"][0]})


def test_the_log_in_offers_it(client, provider, settings):
    settings.OIDC_NAME = "the lab"
    assert "Log in with the lab" in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize(("kind", "researcher"), [("member", False), ("researcher", True)])
def test_somebody_new_gets_the_account_that_the_settings_say(client, provider, settings, kind, researcher):
    settings.OIDC_NEW_ACCOUNTS = kind
    assert log_in(client).status_code == 302
    made = User.objects.get(socialaccount__uid="42")
    assert (made.is_staff, made.is_superuser, made.username) == (researcher, False, "erin")
    assert client.session["_auth_user_id"] == str(made.pk)
    assert provider.asked["code_verifier"]


def test_somebody_new_is_refused_where_the_settings_say_so(client, provider, settings):
    settings.OIDC_NEW_ACCOUNTS = "refuse"
    assert log_in(client).status_code == 403
    assert not User.objects.exists()


def test_an_address_opens_nobodys_account(client, provider):
    User.objects.filter(pk=cast.alice().pk).update(email="alice@example.org")
    log_in(client)
    assert client.session.get("_auth_user_id") != str(cast.alice().pk)


def test_a_way_back_that_nobody_went_is_refused(client, provider):
    assert client.get(CALLBACK, {"code": "c", "state": "invented"}).status_code in (200, 302, 401, 403)
    assert "_auth_user_id" not in client.session and not User.objects.exists()
