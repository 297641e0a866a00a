"""Webhooks: what is told, signed how, tried how often, and where it never goes."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone
from evenhand_client.signing import BadSignature, read_delivery

from annotation import tasks
from annotation.actions import enrolment, quality, snapshots, studies, webhooks
from annotation.actions.runs import finish_run, start_run
from annotation.errors import WebhookRefused
from annotation.models import Delivery, Run, Webhook
from annotation.vocabulary import EnrolmentState, WebhookEvent
from models_runtime.addresses import AddressRefused, Allowed, pinned
from tests import cast

pytestmark = pytest.mark.django_db
EVERYTHING = WebhookEvent.values


@contextmanager
def a_receiver(status: int = 200, location: str = "") -> Iterator[tuple[str, list]]:
    """An address of this machine, and the deliveries that came to it."""
    received: list[tuple[dict, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", received
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def this_machine_is_allowed(settings) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = "127.0.0.1"


def a_webhook(study, url: str = "https://receiver.example/", told=EVERYTHING) -> Webhook:
    return webhooks.make_webhook(study, url, told, cast.alice())


def a_told_study(url: str) -> tuple[Webhook, Delivery]:
    """A study that has told its address of one thing, which waits to be sent."""
    study = cast.a_rateable_study()
    webhook = a_webhook(study, url)
    enrolment.set_state(cast.a_rater(study, cast.bob()), EnrolmentState.PAUSED)
    return webhook, Delivery.objects.get()


# What is told ----------------------------------------------------------------------------------------


def test_a_finished_run_a_paused_rater_and_a_frozen_snapshot_are_told(hints):
    study = cast.a_rateable_study(overlap=1)
    rater = cast.a_rater(study, cast.bob())
    cast.a_judgment(rater)
    a_webhook(study)
    cast.a_prompt(study)
    cast.an_arm(study, "one")
    run = start_run(study)
    run.batches.update(state="done")
    Run.objects.update(state="generated")
    assert finish_run(run)
    quality.pause_rater(rater, "Please write to us.")
    snapshots.freeze_snapshot(study, cast.alice())
    told = {delivery.event: delivery.body["data"] for delivery in Delivery.objects.all()}
    assert told == {
        "run.finished": {"study": "kites", "run": run.pk},
        "rater.paused": {"study": "kites", "rater": rater.code},
        "snapshot.frozen": {"study": "kites", "snapshot": 1},
    }


def test_a_complete_study_is_told_once_and_again_when_it_has_grown():
    study = cast.a_rateable_study(pairs=1, overlap=1)
    a_webhook(study)
    assert not studies.note_complete(study)
    cast.a_judgment(cast.a_rater(study, cast.bob()))
    tasks.send_deliveries()
    tasks.send_deliveries()
    assert [delivery.event for delivery in Delivery.objects.all()] == ["study.complete"]


def test_a_rater_who_goes_on_and_an_event_that_nobody_chose_are_not_told():
    study = cast.a_rateable_study()
    rater = cast.a_rater(study, cast.bob())
    a_webhook(study, told=["snapshot.frozen"])
    quality.pause_rater(rater, "Wait.")
    Webhook.objects.update(events=["rater.paused"])
    quality.resume_rater(rater)
    assert not Delivery.objects.exists()


# How it is sent --------------------------------------------------------------------------------------


def test_a_delivery_is_signed_and_read_by_the_client():
    with a_receiver() as (url, received):
        webhook, delivery = a_told_study(url)
        assert webhooks.send(delivery.pk)
    (headers, body) = received[0]
    assert read_delivery(webhook.secret, headers, body)["data"]["study"] == "kites"
    assert headers["webhook-id"] == str(delivery.message)
    with pytest.raises(BadSignature):
        read_delivery(webhook.secret, headers, body.replace(b"kites", b"kite2"))
    with pytest.raises(BadSignature, match="too old"):
        read_delivery(webhook.secret, headers, body, now=timezone.now().timestamp() + 301)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_status, delivery.attempts) == ("done", 200, 1)


def test_a_signature_is_that_of_the_published_example():
    """From the specification of Standard Webhooks."""
    body = b'{"test": 2432232314}'
    headers = webhooks.signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_failed_delivery_waits_longer_each_time_and_is_given_up():
    with a_receiver(status=503) as (url, received):
        webhook, delivery = a_told_study(url)
        at, waits = timezone.now(), []
        while delivery.state == "waiting":
            assert webhooks.send(delivery.pk, at) is False
            assert webhooks.send(delivery.pk, at) is None  # not due, so nobody else sends it
            delivery.refresh_from_db()
            waits.append(delivery.next_at - at)
            at = delivery.next_at
    assert len(received) == webhooks.MOST_ATTEMPTS == delivery.attempts
    assert waits[: len(webhooks.WAITS)] == list(webhooks.WAITS)
    assert (delivery.state, delivery.last_error) == ("failed", "It answered with status 503.")
    webhook.refresh_from_db()
    assert webhook.is_on and webhook.failures == webhooks.MOST_ATTEMPTS


def test_an_address_that_fails_on_and_on_is_switched_off_with_the_reason():
    with a_receiver(status=500) as (url, _):
        webhook, delivery = a_told_study(url)
        Webhook.objects.update(failures=webhooks.MOST_FAILURES - 1)
        webhooks.send(delivery.pk)
    webhook.refresh_from_db()
    assert not webhook.is_on and "status 500" in webhook.off_reason
    assert not Delivery.objects.due(timezone.now() + timedelta(days=2)).exists()
    with pytest.raises(WebhookRefused):
        webhooks.resend(delivery)
    webhooks.change_webhook(webhook, on=True)
    assert webhook.is_on and webhook.failures == 0
    assert webhooks.resend(delivery).state == "waiting"


def test_an_address_that_is_gone_is_switched_off_at_once():
    with a_receiver(status=410) as (url, _):
        webhook, delivery = a_told_study(url)
        webhooks.send(delivery.pk)
    webhook.refresh_from_db()
    assert not webhook.is_on


def test_the_beat_has_each_due_delivery_sent(monkeypatch):
    asked = []
    monkeypatch.setattr(tasks.send_delivery, "apply_async", lambda args, **options: asked.append(args))
    _, delivery = a_told_study("https://receiver.example/")
    tasks.send_deliveries()
    assert asked == [[delivery.pk]]


# Where it never goes ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nX: ", b""])
def test_an_address_that_answers_by_drops_holds_no_worker(monkeypatch, said):
    """Each drop comes within the time that one read may take."""
    monkeypatch.setattr(webhooks, "SECONDS_IN_ALL", 0.5)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drop, args=(server, said, ended), daemon=True).start()
        _, delivery = a_told_study(f"http://127.0.0.1:{server.getsockname()[1]}/hook")
        began = time.monotonic()
        assert webhooks.send(delivery.pk) is False
        assert time.monotonic() - began < 5
        ended.set()
    delivery.refresh_from_db()
    assert delivery.last_status is None and "did not answer" in delivery.last_error


def drop(server: socket.socket, said: bytes, ended: threading.Event) -> None:
    taken, _ = server.accept()
    with taken, suppress(OSError):
        taken.sendall(said)
        for _ in range(70):
            if ended.wait(0.1):
                return
            taken.sendall(b"x" if said else b"")


def test_a_redirect_is_not_followed():
    with a_receiver() as (elsewhere, reached), a_receiver(302, elsewhere) as (url, _):
        _, delivery = a_told_study(url)
        assert webhooks.send(delivery.pk) is False
    assert reached == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fec0::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://0.0.0.0/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "ftp://receiver.example/",
        "https://name:word@receiver.example/",
        "no address",
        *(f"http://{host}/" for host in ("2130706433", "0x7f000001", "0x7F.1", "127.1", "0300.0250.1", "0")),
        *(f"http://{host}/" for host in ("127.0.0.1.", "127。0。0。1", "[::127.0.0.1]", "[fe80::1%25eth0]")),
        *(f"http://{host}/" for host in ("localhost", "LOCALHOST.", "a.localhost", "4294967297")),
        *(f"http://{host}/" for host in ("1.2.3.4.5", "a.1", "a.0xff")),
        *(f"http://{host}/" for host in ("%31%32%37.0.0.1", "127.0.0.1%00.receiver.example", "a..b", "-a.b")),
        *(f"https://receiver.example:{port}/" for port in (0, 65_536, "80:80", "x")),
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 127}example/",
        "https://receiver.example\\@10.0.0.1/",
    ],
)
def test_an_address_that_is_not_public_is_refused(settings, url):
    settings.WEBHOOK_PRIVATE_HOSTS = ""
    with pytest.raises(WebhookRefused):
        a_webhook(cast.a_study(), url)


@pytest.mark.parametrize(
    "url",
    [
        "https://receiver.example",
        "https://receiver.example.:8443/hook?key=1",
        "https://a-b.xn--bcher-kva.example/",
        "https://bücher.example/",
        "https://4u.1st.example/",
        "https://my_hook.example/",
        "http://8.8.8.8/",
        "http://134744072:65535/",
        "http://[2606:4700::1111]/",
    ],
)
def test_what_may_be_public_is_kept(settings, url):
    settings.WEBHOOK_PRIVATE_HOSTS = ""
    assert a_webhook(cast.a_study(), url).pk


def test_what_an_administrator_allowed_is_kept_however_it_is_written(settings):
    settings.WEBHOOK_PRIVATE_HOSTS = "localhost, 10.0.0.0/8"
    study = cast.a_study()
    for host in ("localhost", "10.1.2.3", "167837955", "10.66051"):
        assert a_webhook(study, f"http://{host}:8000/").pk


def test_a_name_that_leads_inside_is_refused_when_it_is_sent_to(settings, monkeypatch):
    settings.WEBHOOK_PRIVATE_HOSTS = ""
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr("models_runtime.addresses.socket.getaddrinfo", lambda *given, **more: inside)
    with a_receiver() as (url, reached):
        _, delivery = a_told_study("http://receiver.example:" + url.rsplit(":", 1)[1])
        assert webhooks.send(delivery.pk) is False
    delivery.refresh_from_db()
    assert reached == [] and "not a public address" in delivery.last_error


def test_every_address_behind_a_name_has_to_be_public():
    mixed = ["93.184.215.14", "10.0.0.1"]
    with pytest.raises(AddressRefused, match="10.0.0.1"):
        pinned("receiver.example", 443, Allowed(), lambda host, port: mixed)
    assert pinned("receiver.example", 443, Allowed(), lambda host, port: mixed[:1]) == mixed[0]


def test_an_administrator_allows_names_and_networks_but_no_link_local_by_name():
    allowed = Allowed.read("gpu.example, 10.1.0.0/16, [fd00::1]")
    for host, address in (("gpu.example", "192.168.1.4"), ("x", "10.1.2.3"), ("x", "fd00::1")):
        assert pinned(host, 80, allowed, lambda *_, found=address: [found]) == address
    for host, address in (("x", "192.168.1.4"), ("x", "10.2.0.1"), ("gpu.example", "169.254.169.254")):
        with pytest.raises(AddressRefused):
            pinned(host, 80, allowed, lambda *_, found=address: [found])


def test_the_body_is_what_was_told_when_it_happened():
    with a_receiver() as (url, received):
        _, delivery = a_told_study(url)
        webhooks.send(delivery.pk)
    told = json.loads(received[0][1])
    assert told == delivery.body and told["type"] == "rater.paused"
