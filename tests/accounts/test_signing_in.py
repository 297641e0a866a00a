"""Signing in: by password with a second step, with guessing held off, by invitation, and by a provider."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from axes.models import AccessAttempt
from django.core import mail
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.urls import reverse

from annotation import settings as project
from annotation.actions import members
from annotation.models import User
from annotation.vocabulary import StudyRole
from tests import cast

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"
STRONG = "kestrel over the moor"


def log_in(client, name: str = "alice", password: str = cast.PASSWORD, **more):
    return client.post(LOGIN, {"username": name, "password": password, **more})


def is_logged_in(client) -> bool:
    return "_auth_user_id" in client.session


# By password -----------------------------------------------------------------------------------------


def test_the_log_in_keeps_its_name_and_leads_on(client):
    cast.alice()
    assert reverse("login") == LOGIN
    reply = client.post(
        f"{LOGIN}?next=/desk/", {"username": "alice", "password": cast.PASSWORD, "next": "/desk/"}
    )
    assert (reply.status_code, reply.url) == (302, "/desk/")


def test_the_session_gets_another_key_and_ends_with_the_browser_unless_asked(client):
    cast.alice()
    client.get(reverse("account_signup"))
    client.session.save()
    log_in(client)
    assert client.session.get_expire_at_browser_close()
    client.post(reverse("logout"))
    log_in(client, remember="on")
    assert not client.session.get_expire_at_browser_close()


def test_a_wrong_name_and_a_wrong_password_are_told_alike(client):
    cast.alice()
    pages = [log_in(client, name, "wrong").content.decode() for name in ("alice", "nobody")]
    told = ["do not belong together" in page for page in pages]
    assert told == [True, True] and not is_logged_in(client)


def test_nobody_makes_an_account_of_their_own(client):
    fields = {"username": "eve", "password1": STRONG, "password2": STRONG}
    assert "No new accounts" in client.post(reverse("account_signup"), fields).content.decode()
    assert not User.objects.filter(username="eve").exists()


def test_where_sign_up_is_open_a_researcher_comes(client, settings):
    settings.SIGN_UP = True
    client.post(reverse("account_signup"), {"username": "eve", "password1": STRONG, "password2": STRONG})
    assert User.objects.get(username="eve").is_staff


@pytest.mark.parametrize("password", ["short", "password123", "1234567890123"])
def test_a_weak_password_is_refused(client, settings, password):
    settings.SIGN_UP = True
    fields = {"username": "eve", "password1": password, "password2": password}
    assert client.post(reverse("account_signup"), fields).status_code == 200
    assert not User.objects.filter(username="eve").exists()


def test_the_admin_asks_by_the_same_page(client):
    reply = client.get("/admin/login/?next=/admin/")
    assert reply.status_code == 302 and reply.url.startswith(LOGIN)


# Guessing --------------------------------------------------------------------------------------------


def guess(client, times: int, name: str = "alice", **more):
    return [client.post(LOGIN, {"username": name, "password": "wrong"}, **more) for _ in range(times)][-1]


def test_guessing_is_stopped_with_a_page_that_helps_and_not_elsewhere(client):
    cast.alice()
    reply = guess(client, 5)
    assert reply.status_code == 429 and "15 minutes" in reply.content.decode()
    assert log_in(client).status_code == 429 and not is_logged_in(client)
    elsewhere = client.post(LOGIN, {"username": "alice", "password": cast.PASSWORD}, REMOTE_ADDR="192.0.2.7")
    assert elsewhere.status_code == 302


def test_another_case_of_the_name_is_no_other_name(client):
    cast.alice()
    for name in ("alice", "Alice", "ALICE", "aLICE"):
        guess(client, 1, name)
    assert guess(client, 1, "alicE").status_code == 429


def test_a_letter_that_the_database_takes_for_another_makes_no_other_name(client):
    """PostgreSQL compares names in capitals, and ſ and ı have those of s and i."""
    cast.alice()
    for name in ("alice", "alıce", "ALICE", "alıce"):
        guess(client, 1, name)
    assert guess(client, 1).status_code == 429


def test_a_command_lets_somebody_in_again(client):
    cast.alice()
    guess(client, 5)
    call_command("axes_reset_username", "alice")
    assert log_in(client).status_code == 302
    assert not AccessAttempt.objects.exists()


# The second step -------------------------------------------------------------------------------------


def totp_for(user: User) -> str:
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def test_a_password_alone_does_not_do_where_a_second_step_is_set(client):
    secret = totp_for(cast.alice())
    reply = log_in(client)
    assert reply.url.startswith(reverse("mfa_authenticate")) and not is_logged_in(client)
    assert client.get("/desk/").status_code == 302
    client.post(reverse("mfa_authenticate"), {"code": "000000"})
    assert not is_logged_in(client)
    client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    assert is_logged_in(client)


def test_a_recovery_code_works_once(client):
    user = cast.alice()
    totp_for(user)
    code = RecoveryCodes.activate(user).get_unused_codes()[0]
    for works in (True, False):
        log_in(client)
        client.post(reverse("mfa_authenticate"), {"code": code})
        assert is_logged_in(client) == works
        client.logout()


def test_a_second_step_is_set_by_whoever_confirms_their_password(client):
    cast.alice()
    log_in(client)
    assert client.get(reverse("mfa_activate_totp")).url.startswith(reverse("account_reauthenticate"))
    client.post(reverse("account_reauthenticate"), {"password": cast.PASSWORD})
    page = client.get(reverse("mfa_activate_totp"))
    assert page.status_code == 200 and "data:image/svg+xml" in page.content.decode()
    secret = client.session["mfa.totp.secret"]
    client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})
    assert {row.type for row in Authenticator.objects.all()} == {"totp", "recovery_codes"}


def test_the_admin_does_not_show_the_secrets_of_second_steps(client):
    client.force_login(cast.person("root", is_staff=True, is_superuser=True))
    assert client.get("/admin/mfa/authenticator/").status_code == 404


# Passwords that were forgotten -----------------------------------------------------------------------


def test_without_mail_the_page_says_whom_to_ask(client, settings):
    settings.CONTACT = "Dana in room 4"
    assert "Ask Dana in room 4" in client.get(reverse("account_reset_password")).content.decode()


def test_with_mail_a_password_is_reset_and_nobody_learns_who_has_an_account(client, settings):
    settings.SENDS_MAIL = True
    User.objects.filter(pk=cast.alice().pk).update(email="alice@example.org")
    replies = [
        client.post(reverse("account_reset_password"), {"email": address})
        for address in ("alice@example.org", "nobody@example.org")
    ]
    assert len({(reply.status_code, reply.url) for reply in replies}) == 1
    assert [letter.to for letter in mail.outbox][:1] == [["alice@example.org"]]
    assert "/accounts/password/reset/key/" in mail.outbox[0].body


def test_a_mail_server_that_is_down_fails_no_page(client, settings):
    settings.SENDS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    User.objects.filter(pk=cast.alice().pk).update(email="alice@example.org")
    assert client.post(reverse("account_reset_password"), {"email": "alice@example.org"}).status_code == 302


# Settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("smtps://u:p%40@mail.example", ("mail.example", 465, "u", "p@", True, False)),
        ("smtp+tls://mail.example:2525", ("mail.example", 2525, "", "", False, True)),
        ("smtp://localhost", ("localhost", 25, "", "", False, False)),
    ],
)
def test_a_mail_servers_url_is_read(url, found):
    assert project._mail(url) == found


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtp://a:b:c"])
def test_another_url_is_refused_with_what_to_write(url):
    with pytest.raises(ImproperlyConfigured, match="Write it as smtps://"):
        project._mail(url)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"OIDC_ISSUER": "https://id.example"}, "annotation.E041"),
        (
            {"OIDC_ISSUER": "http://id.example", "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b"},
            "annotation.E042",
        ),
        ({"OIDC_NEW_ACCOUNTS": "all"}, "annotation.E043"),
    ],
)
def test_a_provider_that_is_not_whole_is_told_at_the_start(settings, changed, problem):
    for name, value in changed.items():
        setattr(settings, name, value)
    found = [check for check in run_checks() if check.id == problem]
    assert len(found) == 1 and found[0].hint


# Invitations -----------------------------------------------------------------------------------------


def test_an_invitation_makes_an_account_for_its_study_alone(client):
    study = cast.a_study()
    _, secret = members.invite(study, "eve@example.org", StudyRole.VIEWER, cast.alice())
    page = reverse("invitation", args=[secret])
    assert "You are invited" in client.get(page).content.decode()
    fields = {"username": "eve", "password1": STRONG, "password2": STRONG, "next": page}
    assert client.post(reverse("account_signup"), fields).url == page
    assert client.post(page).url == reverse("desk:study", args=[study.slug])
    eve = User.objects.get(username="eve")
    assert not eve.is_staff and eve.memberships.get().role == StudyRole.VIEWER
    assert client.get(reverse("desk:study", args=[study.slug])).status_code == 200
    assert client.get("/admin/").status_code == 302


def test_an_invitation_is_taken_up_once(client):
    _, secret = members.invite(cast.a_study(), "eve@example.org", StudyRole.EDITOR)
    client.force_login(cast.dan())
    assert client.post(reverse("invitation", args=[secret])).status_code == 302
    client.force_login(cast.mallory())
    assert client.post(reverse("invitation", args=[secret])).status_code == 404
    assert not cast.mallory().memberships.exists()


def test_a_rater_of_the_study_cannot_take_up_an_invitation(client):
    study = cast.a_study()
    cast.a_rater(study, cast.bob())
    _, secret = members.invite(study, "bob@example.org", StudyRole.VIEWER)
    client.force_login(cast.bob())
    reply = client.post(reverse("invitation", args=[secret]), follow=True)
    assert "rates in this study" in reply.content.decode() and not cast.bob().memberships.exists()
