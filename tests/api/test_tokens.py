"""Tokens: what they open, for how long; writes done once; changes bound to what was read; limits."""

from datetime import timedelta
from importlib import import_module
from io import StringIO
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from annotation.actions import studies, tokens
from annotation.api.bases import ForResearchers
from annotation.api.rating import ForRaters
from annotation.api.webhooks import OwnTokens
from annotation.models import ApiToken, KeptReply, Run, Study
from annotation.models.token import token_digest
from annotation.vocabulary import TokenScope
from tests import cast
from tests.api.story import as_person

pytestmark = pytest.mark.django_db
STUDIES = "/api/v1/studies/"
JSON = "application/json"
NEW = {"slug": "kites", "title": "Kites"}


def client_with(secret: str, keyword: str = "Bearer") -> Client:
    return Client(headers={"Authorization": f"{keyword} {secret}"})


# What they open --------------------------------------------------------------------------------------


@pytest.mark.parametrize("keyword", ["Bearer", "Token", "bearer"])
def test_a_token_lets_in_under_either_word(keyword):
    assert client_with(cast.a_token(cast.alice()), keyword).get(STUDIES).status_code == 200


def test_nothing_but_a_digest_and_its_beginning_is_kept():
    secret = cast.a_token(cast.alice())
    row = ApiToken.objects.values().get()
    assert row["digest"] == token_digest(secret) and secret.startswith(row["start"])
    assert secret not in str(row)


def test_a_token_that_is_over_or_revoked_or_of_somebody_who_left_opens_nothing():
    alice = cast.alice()
    over, revoked = cast.a_token(alice), cast.a_token(alice, "read")
    last_year = timezone.now() - timedelta(days=365)
    ApiToken.objects.filter(digest=token_digest(over)).update(
        created_at=last_year, expires_at=last_year + timedelta(days=1)
    )
    tokens.revoke_token(ApiToken.objects.get(digest=token_digest(revoked)))
    for secret in (over, revoked, "eh_unknown", "\x00"):
        answer = client_with(secret).get(STUDIES)
        assert answer.status_code == 401 and answer["Content-Type"] == "application/problem+json"
    secret = cast.a_token(alice)
    type(alice).objects.update(is_active=False)
    assert client_with(secret).get(STUDIES).status_code == 401


@pytest.mark.parametrize("scope", TokenScope.values)
def test_a_token_does_what_its_scope_says_and_no_more(scope):
    study = cast.a_rateable_study()
    cast.a_rater(study, cast.bob())
    researcher, rater = as_person(cast.alice(), scope), as_person(cast.bob(), scope)
    asked = {
        "read": researcher.get(f"{STUDIES}kites/"),
        "write": researcher.patch(f"{STUDIES}kites/", '{"title": "Birds"}', JSON),
        "export": researcher.get(f"{STUDIES}kites/judgments/"),
        "rate": rater.post(f"{STUDIES}kites/claim"),
    }
    assert {name for name, answer in asked.items() if answer.status_code == 200} == {scope}
    assert {answer.status_code for name, answer in asked.items() if name != scope} == {403}


def test_every_view_of_the_api_asks_for_a_scope():
    """Those of a person's own tokens and of the specification need none."""
    views = [pattern.callback.cls for pattern in patterns() if hasattr(pattern.callback, "cls")]
    free = [view for view in views if not issubclass(view, ForResearchers | ForRaters | OwnTokens)]
    assert [view.__name__ for view in free] == ["Specification"]


def patterns() -> list:
    return get_resolver("annotation.api.urls").url_patterns


def test_use_is_noted_to_the_hour(django_assert_num_queries):
    client = as_person(cast.alice())
    client.get(STUDIES)
    first = ApiToken.objects.get().used_at
    assert first is not None
    with django_assert_num_queries(2):
        client.get(STUDIES)
    assert ApiToken.objects.get().used_at == first
    assert tokens.note_use(ApiToken.objects.get(), first + timedelta(hours=1))


def test_own_tokens_are_listed_and_revoked_and_nobody_elses():
    cast.a_token(cast.mallory())
    client = as_person(cast.alice(), "rate")
    (listed,) = client.get("/api/v1/tokens/").json()["results"]
    theirs = ApiToken.objects.get(user=cast.mallory())
    assert client.delete(reverse("api:token", args=[theirs.pk])).status_code == 404
    assert client.delete(reverse("api:token", args=[listed["id"]])).status_code == 204
    assert client.get("/api/v1/tokens/").status_code == 401


def test_a_token_that_may_only_look_revokes_no_other():
    alice = cast.alice()
    other = ApiToken.objects.get(digest=token_digest(cast.a_token(alice, "write")))
    narrow = as_person(alice, "read", "export", "rate")
    reply = narrow.delete(reverse("api:token", args=[other.pk]))
    assert reply.status_code == 403 and "“write”" in reply.json()["detail"]
    other.refresh_from_db()
    assert other.revoked_at is None


def test_a_token_that_may_write_revokes_others_of_its_person():
    alice = cast.alice()
    other = ApiToken.objects.get(digest=token_digest(cast.a_token(alice, "read")))
    assert as_person(alice, "write").delete(reverse("api:token", args=[other.pk])).status_code == 204


def test_the_command_prints_a_token_that_opens():
    cast.alice()
    said = StringIO()
    call_command("make_token", "alice", scope=["read"], days=7, stdout=said)
    assert client_with(said.getvalue().strip()).get(STUDIES).status_code == 200
    assert ApiToken.objects.get().expires_at < timezone.now() + timedelta(days=8)
    with pytest.raises(CommandError, match="Nothing was made"):
        call_command("make_token", "nobody")


def test_tokens_of_an_earlier_version_are_taken_over():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE authtoken_token (key varchar(40), user_id bigint)")
        cursor.execute("INSERT INTO authtoken_token VALUES ('0123456789abcdef', %s)", [cast.alice().pk])
    migration = import_module("annotation.migrations.0024_tokens")
    migration.take_over(apps, SimpleNamespace(connection=connection))
    assert client_with("0123456789abcdef", "Token").get(STUDIES).status_code == 200
    assert "authtoken_token" not in connection.introspection.table_names()


# Once ------------------------------------------------------------------------------------------------


def test_a_write_under_a_key_is_done_once_and_answered_alike():
    client = as_person(cast.alice())
    first = client.post(STUDIES, NEW, JSON, headers={"Idempotency-Key": "k"})
    again = client.post(STUDIES, NEW, JSON, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code, Study.objects.count()) == (201, 201, 1)
    assert first.json() == again.json() and again["Idempotent-Replayed"] == "true"


def test_a_key_is_of_one_request_of_one_person():
    client = as_person(cast.alice())
    client.post(STUDIES, NEW, JSON, headers={"Idempotency-Key": "k"})
    other = client.post(STUDIES, NEW | {"slug": "birds"}, JSON, headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["code"]) == (409, "key-in-use")
    mallory = as_person(cast.mallory())
    told = mallory.post(STUDIES, NEW | {"slug": "birds"}, JSON, headers={"Idempotency-Key": "k"})
    assert told.status_code == 201


def test_a_form_that_says_a_field_otherwise_is_another_request():
    client, kind = as_person(cast.alice()), "application/x-www-form-urlencoded"
    form = "slug=kites&title=Kites&harm_categories={}&harm_categories=erotic"
    replies = [
        client.post(STUDIES, form.format(first), kind, headers={"Idempotency-Key": "k"})
        for first in ("hate", "hate", "illicit")
    ]
    assert [reply.status_code for reply in replies] == [201, 201, 409]


def test_a_refused_write_leaves_its_key_free_and_one_that_was_cut_off_does_not():
    client = as_person(cast.alice())
    assert client.post(STUDIES, {}, JSON, headers={"Idempotency-Key": "k"}).status_code == 400
    assert client.post(STUDIES, NEW, JSON, headers={"Idempotency-Key": "k"}).status_code == 201
    KeptReply.objects.update(status=None)
    cut_off = client.post(STUDIES, NEW, JSON, headers={"Idempotency-Key": "k"})
    assert cut_off.status_code == 409 and "Look whether it was done" in cut_off.json()["detail"]
    assert tokens.drop_old_replies(timezone.now() + timedelta(days=2)) == 1


# As it was -------------------------------------------------------------------------------------------


def test_what_was_read_is_not_sent_again_while_it_is_the_same():
    cast.a_study()
    client = as_person(cast.alice())
    for address in (f"{STUDIES}kites/", f"{STUDIES}kites/fairness/"):
        etag = client.get(address)["ETag"]
        unchanged = client.get(address, headers={"If-None-Match": etag})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
    Study.objects.update(title="Birds")
    assert client.get(f"{STUDIES}kites/", headers={"If-None-Match": etag}).status_code == 200


def test_a_change_is_refused_when_the_study_has_moved():
    cast.a_study()
    client, address = as_person(cast.alice()), f"{STUDIES}kites/"
    etag = client.get(address)["ETag"]
    changed = client.patch(address, '{"overlap": 4}', JSON, headers={"If-Match": etag})
    assert (changed.status_code, changed.json()["overlap"]) == (200, 4)
    stale = client.patch(address, '{"overlap": 5}', JSON, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["code"]) == (412, "study-moved")
    again = client.patch(address, '{"overlap": 5}', JSON, headers={"If-Match": changed["ETag"]})
    assert again.status_code == 200


@pytest.mark.parametrize("form", ["W/{}", '{}-gzip"', '{}-zstd"'])
def test_a_proxy_that_packs_replies_changes_nothing_of_that(form):
    """It marks the ETag as of the packed reply: nginx as weak, Caddy by the way it packs."""
    cast.a_study()
    client, address = as_person(cast.alice()), f"{STUDIES}kites/"
    etag = client.get(address)["ETag"]
    marked = form.format(etag if form.startswith("W") else etag.removesuffix('"'))
    changed = client.patch(address, '{"overlap": 4}', JSON, headers={"If-Match": marked})
    assert changed.status_code == 200
    stale = client.patch(address, '{"overlap": 5}', JSON, headers={"If-Match": marked})
    assert stale.status_code == 412


# Limits and shapes -----------------------------------------------------------------------------------


def test_too_many_requests_are_told_when_to_come_back(monkeypatch):
    cache.clear()  # of what other tests asked
    monkeypatch.setattr("rest_framework.throttling.UserRateThrottle.THROTTLE_RATES", {"user": "2/min"})
    client = as_person(cast.alice())
    answers = [client.get(f"{STUDIES}?throttled") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2]["Retry-After"] and answers[2].json()["code"] == "throttled"


def test_an_address_that_is_none_is_a_problem_like_any_other():
    answer = as_person(cast.alice()).get("/api/v1/nothing/here")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_what_the_database_refuses_is_a_conflict_without_the_row(hints, monkeypatch):
    cast.a_study()
    client = as_person(cast.alice())
    monkeypatch.setattr(studies, "_refuse_contradiction", lambda *given: None)
    refused = client.patch(f"{STUDIES}kites/", '{"overlap_max": 1}', JSON)
    assert refused.status_code == 409 and "overlap" in refused.json()["detail"]
    assert refused.json()["code"] == "refused-by-the-database"
    assert not Run.objects.exists()


@pytest.mark.parametrize("cursor", ["bnVsbA==", "cD1hYmM=", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "%00"])
def test_a_cursor_that_somebody_wrote_is_no_failure_of_ours(cursor):
    answer = as_person(cast.alice()).get(f"{STUDIES}?cursor={cursor}")
    assert answer.status_code in (200, 404)
