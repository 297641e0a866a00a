"""Nothing that a rater receives tells which arm wrote what."""

import re
import uuid

import pytest
from django.urls import reverse

from annotation.actions.reviewing import decide
from annotation.actions.studies import add_guideline
from annotation.models import Assignment, Judgment, Pair, Response
from annotation.vocabulary import FinishReason, GuidelineCondition
from tests import cast
from tests.actions.test_reviewing import OWN_NAME, a_marked_study, keys
from tests.rate.conftest import Rater, page_of

FAR = 700_000_000  # primary keys that occur nowhere by chance
# The numbers are long, because five digits do occur by chance, in tokens and in fractions of seconds.
SECRETS = (
    *cast.ARMS,
    "scripted",
    "echo",
    "secret-model",
    "314159265",
    "271828182",
    "ruminated",
    "q-key-7",
    "dual_use",
    "benign",
)


def a_telling_study():
    """A study whose every blind fact is a word that pages have no other reason to contain."""
    study = cast.a_study(guideline_condition=GuidelineCondition.POLICY_GIVEN)
    add_guideline(study, "Judge what the reply *gives*.")
    arms = [cast.an_arm(study, name, model="secret-model") for name in cast.ARMS]
    prompt = cast.a_prompt(study, "q-key-7")
    prompt.messages = [{"role": "user", "content": "How do kites fly?"}]
    prompt.save(update_fields=["messages"])
    made = [
        Response.objects.create(
            pk=FAR + number,
            study=study,
            prompt=prompt,
            arm=arm,
            text=f"Text of {letter}.",
            reasoning="ruminated",
            finish_reason=FinishReason.IMPORTED,
            output_tokens=314159265,
            seconds=271828182.0,
        )
        for number, (arm, letter) in enumerate(zip(arms, "pq", strict=True))
    ]
    Pair.objects.create(
        pk=FAR + 10,
        study=study,
        prompt=prompt,
        response_a=made[0],
        response_b=made[1],
        position=FAR + 20,
        overlap=2,
        open_slots=2,
    )
    study.pair_count = 1
    study.save(update_fields=["pair_count"])
    return study


EMPTY = '{"answers": {}, "seen": [], "version": 0}'


def a_draft(rater: Rater, action: str, body: str):
    return rater.client.put(f"{action}draft/", body, content_type="application/json")


def replies_while_a_pair_is_held(study, htmx: bool) -> list:
    """Drafts, beats, blurred pages and the ways out, of a second rater; in German, too."""
    study.blurred_categories, study.exposure_per_day = ["hate"], 1
    study.save(update_fields=["blurred_categories", "exposure_per_day"])
    study.prompts.update(harm_category="hate")
    carol = Rater(cast.a_rater(study, cast.carol()).user, htmx)
    replies = [carol.open(), carol.client.get(page_of(), headers={"Accept-Language": "de"})]
    replies += [a_draft(carol, carol.action, EMPTY) for _ in range(2)]  # kept, then a conflict
    replies += [carol.client.post(f"{carol.action}beat/"), carol.open()]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 409, 200, 200]
    decline = carol.client.post(f"{carol.action}decline/", {"category": "never"})
    return [*replies, decline, carol.open(), carol.client.get(reverse("rate:wellbeing", args=["kites"]))]


def everything(reply) -> str:
    return f"{reply.headers} {reply.cookies} {reply.content.decode()} {getattr(reply, 'url', '')}"


@pytest.mark.slow
@pytest.mark.parametrize("htmx", [False, True])
def test_no_reply_to_a_rater_contains_an_arm_a_model_a_number_or_a_count(db, htmx):
    study = a_telling_study()
    bob = Rater(cast.a_rater(study, cast.bob()).user, htmx)
    replies = [bob.client.get(reverse("rate:home")), bob.open()]
    Assignment.objects.update(id=FAR + 30)
    action, key = bob.action, bob.key
    replies += [
        bob.send(action, key, safer=None),
        bob.send(action, key),
        bob.send(action, key),
        bob.send(action, uuid.uuid4().hex),
        bob.client.get(action),
        bob.client.get(f"{action}correct/"),
        bob.send(f"{action}correct/", uuid.uuid4().hex),
        bob.client.post(f"{action}skip/"),
        bob.client.post(f"{action}decline/"),
        bob.client.post(f"{action}flag/", {"reason": "garbled"}),
        bob.client.post(f"{action}beat/"),
        *(a_draft(bob, action, body) for body in (EMPTY, "{", '{"answers": {"arm": "x"}}', EMPTY)),
        bob.client.get(reverse("rate:preferences")),
        bob.client.post(reverse("rate:preferences"), {"key_next": "7"}),
        bob.client.post(reverse("rate:single-keys"), {"on": "1"}),
        *(bob.client.get(reverse(f"rate:{name}", args=["kites"])) for name in ("wellbeing", "rest")),
        bob.client.post(reverse("rate:wellbeing", args=["kites"]), {"category": ["hate"]}),
        bob.client.post(reverse("rate:go-on", args=["kites"])),
        bob.client.get(reverse("rate:judge", args=[uuid.uuid4()])),
        bob.client.get(page_of("nowhere")),
    ]
    assert Judgment.objects.count() == 2
    replies += replies_while_a_pair_is_held(study, htmx)
    for reply in replies:
        told = everything(reply)
        assert [secret for secret in (*SECRETS, str(FAR)[:6]) if secret in told] == []


@pytest.mark.parametrize("htmx", [False, True])
def test_a_masked_name_is_in_no_reply_to_a_rater(db, htmx):
    study = a_marked_study(OWN_NAME, "The wind carries it.")
    decide(study, keys(study), "mask", cast.alice())
    bob = Rater(cast.a_rater(study, cast.bob()).user, htmx)
    replies = [bob.client.get(reverse("rate:home")), bob.open()]
    assert "▇▇▇" in bob.html
    action = bob.action
    replies += [
        bob.send(action, safer=None, key=uuid.uuid4().hex),
        bob.send(action, key=uuid.uuid4().hex),
        bob.client.get(f"{action}correct/"),
        bob.send(f"{action}correct/", key=uuid.uuid4().hex),
        bob.open(),
    ]
    assert Judgment.objects.count() == 2
    for reply in replies:
        assert [name for name in ("qwen", "alibaba", "masked") if name in everything(reply).lower()] == []


def test_a_rater_for_whom_only_waiting_pairs_are_left_is_asked_to_wait(db):
    study = a_marked_study()
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    assert "are being prepared" in bob.open().content.decode()
    decide(study, keys(study), "drop")
    assert "are being prepared" not in bob.open().content.decode()


@pytest.mark.parametrize("swapped", [False, True])
def test_each_text_stands_on_the_side_that_was_drawn(db, swapped):
    study = cast.a_rateable_study(pairs=1)
    bob = Rater(cast.a_rater(study, cast.bob()).user)
    bob.open()
    Assignment.objects.update(left_is_a=not swapped)
    answers = re.findall(r'class="answer prose">\s*<p[^>]*>(Answer .) ', bob.open().content.decode())
    assert answers == (["Answer q", "Answer p"] if swapped else ["Answer p", "Answer q"])


def test_nothing_is_preselected(bob):
    assert re.findall(r'type="radio"[^>]* checked', bob.html) == []


@pytest.mark.parametrize(
    "name", ["next", "judge", "revise", "skip", "decline", "flag", "beat", "wellbeing", "rest", "go-on"]
)
def test_what_is_not_there_and_what_is_not_theirs_look_alike(study, bob, name):
    stranger = Rater(cast.dan())
    token = Assignment.objects.get().token
    of_study = name in ("next", "wellbeing", "rest", "go-on")
    theirs, nowhere = ("kites", "nowhere") if of_study else (token, uuid.uuid4())
    posted = name in ("judge", "skip", "decline", "flag", "beat", "go-on")
    call = stranger.client.post if posted else stranger.client.get
    replies = [call(reverse(f"rate:{name}", args=[target])) for target in (theirs, nowhere)]
    assert [reply.status_code for reply in replies] == [404, 404]
    bodies = [re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", r.content.decode()) for r in replies]
    assert bodies[0] == bodies[1]


def test_a_stranger_is_asked_to_log_in(client, db):
    assert client.get(page_of()).url == f"{reverse('login')}?next={page_of()}"


def test_a_logged_out_form_is_told_so_instead_of_losing_its_answers_to_the_log_in_page(quick_bob):
    action, key = quick_bob.action, quick_bob.key
    quick_bob.client.logout()
    reply = quick_bob.client.post(
        action, cast.form_fields() | {"idempotency_key": key}, headers={"HX-Request": "true"}
    )
    assert reply.status_code == 401


def test_no_page_is_kept_in_a_cache(bob):
    assert "no-store" in bob.shown["Cache-Control"]


def test_the_guideline_is_shown_only_where_the_study_gives_one(bob, db):
    assert "<summary>Guideline" not in bob.html
    study = cast.a_rateable_study(slug="given", guideline_condition=GuidelineCondition.POLICY_GIVEN)
    add_guideline(study, "Judge what the reply *gives*.")
    cast.a_rater(study, cast.bob())
    assert "<em>gives</em>" in bob.open("given").content.decode()
