"""Gold and repeated pairs cannot be told from the others by anything that a rater receives."""

import json
import re

import pytest
from django.test import Client
from django.urls import reverse

from annotation.actions import quality
from annotation.actions.gold import make_gold
from annotation.models import Assignment, Study
from tests import cast
from tests.api.test_rating import Program
from tests.rate.conftest import Rater, page_of
from tests.rate.test_blindness import everything

pytestmark = pytest.mark.django_db

WORDS = ("gold", "repeat", "practice", "quiz", "check")
VARIES = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "TOKEN"),
    (r'name="csrfmiddlewaretoken" value="\w+"', "CSRF"),
    (r"csrftoken=\w+", "CSRF"),
    (r"[0-9a-f]{32}", "KEY"),
    (r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|\+00:00)?", "TIME"),
    (r"kites-\d+", "PROMPT"),
    (r"Answer [pq] to question \d+\.", "ANSWER"),
    (r'"judged": ?\d+', "JUDGED"),
    (r"\d+ judged ·", "JUDGED"),
    (r"'Expires': '[^']+'", "EXPIRES"),
    (r"'Content-Length': '\d+'", "LENGTH"),
    (r"expires=[^;]+", "EXPIRES"),
    (r"at_work=[\d.]+", "AT_WORK"),
]


def shape(told: str) -> str:
    """What is left of a reply without what differs between any two pairs."""
    for pattern, name in VARIES:
        told = re.sub(pattern, name, told, flags=re.M)
    return told


@pytest.fixture
def study():
    study = cast.a_rateable_study(pairs=40)
    for pair in study.pairs.order_by("pk")[:10]:
        make_gold(pair, {"balance": 2})
    Study.objects.filter(pk=study.pk).update(gold_percent=30, repeat_percent=30)
    return Study.objects.get(pk=study.pk)


def by_kind(shapes: list[tuple[str, str]]) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for kind, told in shapes:
        kinds.setdefault(kind, set()).add(told)
    return kinds


@pytest.mark.slow
@pytest.mark.parametrize("htmx", [False, True])
def test_pages_of_all_kinds_have_one_shape(study, htmx):
    bob, shapes = Rater(cast.a_rater(study, cast.bob()).user, htmx), []
    bob.open()
    for _ in range(20):
        kind = Assignment.objects.leased().get().kind
        action = bob.action
        shapes.append((kind, shape(everything(bob.open()))))
        bob.send(action)
        again = bob.client.get(f"{action}correct/")
        shapes.append((f"{kind} corrected", shape(everything(again))))
        bob.open()
    kinds = by_kind(shapes[4:])  # the first pages have no previous answer to correct
    for suffix in ("", " corrected"):
        assert len(kinds[f"gold{suffix}"]) == 1, suffix
        assert kinds[f"gold{suffix}"] == kinds[f"repeat{suffix}"] == kinds[f"rated{suffix}"]
    (told,) = kinds["gold"]
    assert [word for word in WORDS if re.search(rf"\b{word}\b", told)] == []


@pytest.mark.slow
def test_api_replies_of_all_kinds_have_one_shape(study):
    bob, shapes = Program(study), []
    held = bob.claim().json()["id"]
    for _ in range(20):
        kind = Assignment.objects.leased().get().kind
        shapes.append((f"{kind} claimed", shape(everything(bob.claim()))))
        reply = bob.judge(held)
        following = Assignment.objects.leased().get().kind
        shapes.append((following, shape(everything(reply))))
        held = reply.json()["next"]["id"]
    kinds = by_kind(shapes)
    assert len(kinds["gold"]) == len(kinds["gold claimed"]) == 1
    assert kinds["gold"] == kinds["repeat"] == kinds["rated"]
    assert kinds["gold claimed"] == kinds["repeat claimed"] == kinds["rated claimed"]


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["skip", "decline", "flag", "heartbeat"])
def test_giving_back_and_keeping_look_alike(study, verb):
    bob, shapes = Program(study), []
    for _ in range(30):
        held = bob.claim().json()["id"]
        kind = Assignment.objects.leased().get().kind
        reply = bob.tell(held, verb, {"reason": "garbled"})
        shapes.append((kind, shape(everything(reply))))
        bob.judge(held, key=held) if verb == "heartbeat" else None
    kinds = by_kind(shapes)
    if verb != "heartbeat":
        kinds["repeat"] = kinds["gold"]  # nothing is judged, so nothing comes a second time
    assert len(kinds["gold"]) == 1 and kinds["gold"] == kinds["repeat"] == kinds["rated"]


def test_progress_moves_by_one_whatever_was_judged(study):
    bob = Program(study)
    reply = bob.claim().json()
    total = reply["pair_count"]
    assert total == 30 + 9 + 9
    for judged in range(30):
        assert (reply["judged"], reply["pair_count"]) == (judged, total)
        reply = bob.judge(reply["id"]).json()["next"]


# Being paused ----------------------------------------------------------------------------------------


@pytest.fixture
def paused(study):
    rater = cast.a_rater(study, cast.bob())
    quality.pause_rater(rater, "Your answers came too fast.", cast.alice())
    client = Client()
    client.force_login(rater.user)
    return client


def test_a_paused_rater_reads_why_and_writes_to_the_researcher(paused):
    closed = paused.get(page_of()).content.decode()
    address = reverse("rate:appeal", args=["kites"])
    assert "Your answers came too fast." in closed and address in closed
    assert address in paused.get(reverse("rate:home")).content.decode()
    assert paused.post(address, {"text": " "}).status_code == 422
    sent = paused.post(address, {"text": "I read <b>fast</b>."}).content.decode()
    assert "I read &lt;b&gt;fast&lt;/b&gt;." in sent and "decides" in sent
    assert "<textarea" not in sent
    rater = Study.objects.get().enrolments.get()
    quality.decide_appeal(rater.appeals.get(), granted=False, answer="Nobody reads so fast.")
    assert "Nobody reads so fast." in paused.get(address).content.decode()


def test_an_active_rater_has_nothing_to_appeal_against(study):
    client = Client()
    client.force_login(cast.a_rater(study, cast.bob()).user)
    assert client.get(reverse("rate:appeal", args=["kites"])).url == page_of()
    assert client.get(reverse("rate:appeal", args=["boats"])).status_code == 404


def test_no_page_about_a_pause_tells_an_arm_or_a_kind(paused, study):
    address = reverse("rate:appeal", args=["kites"])
    for reply in (paused.get(page_of()), paused.get(address), paused.post(address, {"text": "Why?"})):
        told = everything(reply)
        assert [word for word in (*cast.ARMS, "gold", "repeat") if word in told] == []
        assert "no-store" in reply["Cache-Control"]


def test_the_api_says_why_too(study):
    bob = Program(study)
    quality.pause_rater(bob.rater, "Your answers came too fast.", cast.alice())
    reply = bob.claim()
    assert (reply.status_code, reply.headers["X-Reason"]) == (204, "not-qualified")
    assert json.dumps(dict(reply.headers)).count("gold") == 0


RULES = [
    {"rule": "gold_at_least", "limit": 71, "found": 12, "n": 4343},
    {"rule": "hasty_at_most", "limit": 17, "found": 60, "n": 4545},
]


@pytest.mark.parametrize(("language", "words"), [("en", "are right"), ("de", "richtig"), ("ar", "صحيحة")])
def test_a_pause_by_rules_is_told_in_the_raters_language_without_counts(study, language, words):
    rater = cast.a_rater(study, cast.carol())
    quality.pause_rater(rater, "Said in English.", rules=RULES)
    client = Client()
    client.force_login(cast.carol())
    client.cookies["django_language"] = language
    for address in (page_of(), reverse("rate:appeal", args=["kites"])):
        html = client.get(address).content.decode()
        assert words in html and "71" in html and "17" in html and "Said in English." not in html
        assert "4343" not in html and "4545" not in html
