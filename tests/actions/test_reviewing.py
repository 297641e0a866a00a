"""Marked pairs wait until a researcher shows, masks, regenerates or drops them."""

from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from annotation import scan
from annotation.access import blind_pair
from annotation.actions import generating, runs
from annotation.actions.claims import claim_next_pair
from annotation.actions.pairing import make_pairs
from annotation.actions.reviewing import decide, rescan, take_back
from annotation.errors import NothingFree, NothingLeft, ReviewRefused
from annotation.models import Assignment, Mark, Pair, Response, triggers
from annotation.reports import review
from annotation.reports.progress import rating_progress
from annotation.scan import Finding
from annotation.vocabulary import PairState, RunState
from models_runtime.worker import BackendCache
from tests import cast
from tests.actions.test_imports import about_pair, jsonl, refusal

pytestmark = pytest.mark.django_db

OWN_NAME = "I am **Qwen**, made by Alibaba Cloud. Kites fly by lift."
PLAIN = "The wind lifts the sail."


def a_marked_study(*texts: str, pairs: int = 1, **rules):
    """Two arms (more with more texts) with imported answers; those of the first arm tell whose they are."""
    study = cast.a_study(**rules)
    arms = [cast.an_arm(study, f"arm {number}", backend="") for number in range(len(texts) or 2)]
    for _ in range(pairs):
        prompt = cast.a_prompt(study)
        for arm, text in zip(arms, texts or (OWN_NAME, PLAIN), strict=True):
            cast.a_response(prompt, arm, text)
    make_pairs(study)
    study.refresh_from_db()
    return study


def keys(study) -> list[int]:
    return list(study.pairs.held().values_list("pk", flat=True))


# Marks


def test_a_marked_pair_waits_and_its_marks_say_why_and_where():
    study = a_marked_study(OWN_NAME, " ")
    assert study.pairs.get().state == PairState.HELD
    own, empty = Mark.objects.order_by("response__arm__position")
    assert (own.kind, own.scanner, empty.kind) == ("identity", "1", "empty")
    start, end, quote = own.detail["spans"][0]
    assert own.response.text[start:end] == quote == "Qwen"


def test_a_pair_that_says_the_same_twice_is_marked_itself():
    study = a_marked_study(PLAIN, PLAIN)
    assert Mark.objects.get().pair == study.pairs.get()
    assert study.pairs.get().state == PairState.HELD


def test_raters_get_other_pairs_and_wait_for_the_rest():
    study = a_marked_study()
    prompt = cast.a_prompt(study)
    for arm in study.arms.all():
        cast.a_response(prompt, arm)
    make_pairs(study)
    rater = cast.a_rater(study, cast.bob())
    assert cast.a_judgment(rater).pair.prompt == prompt
    with pytest.raises(NothingFree) as waiting:
        claim_next_pair(rater)
    assert waiting.value.next_free_at is None


def test_the_database_refuses_to_give_a_waiting_pair_to_anybody():
    study = cast.a_rateable_study(pairs=1)
    held = claim_next_pair(cast.a_rater(study, cast.bob()))
    triggers.remove(connection)  # one of them keeps a pair from waiting once it was given
    Assignment.objects.filter(pk=held.pk).update(state="expired", slot=None)
    study.pairs.update(state=PairState.HELD)
    triggers.install(connection)
    with refused_by("assignment_of_an_open_pair"):
        Assignment.objects.filter(pk=held.pk).update(state="leased", slot=0)
    new = {"pair": held.pair, "enrolment": cast.a_rater(study, cast.carol()), "slot": 0, "left_is_a": True}
    with refused_by("assignment_of_an_open_pair"):
        Assignment.objects.create(**new, claimed_at=held.claimed_at, lease_until=held.lease_until)


@contextmanager
def refused_by(promise):
    with pytest.raises(IntegrityError, match=promise), transaction.atomic():
        yield


@pytest.mark.parametrize(
    "change",
    [
        {"state": "held"},
        {"state": "dropped", "decision": "drop"},
        {"state": "replaced", "decision": "regenerate"},
        {"decision": "mask", "shown_a": "▇"},
    ],
)
@pytest.mark.parametrize("state", ["leased", "expired"])
def test_the_database_keeps_a_pair_that_was_given_as_it_was(change, state):
    study = cast.a_rateable_study(pairs=1)
    held = claim_next_pair(cast.a_rater(study, cast.bob()))
    Assignment.objects.filter(pk=held.pk).update(state=state, slot=0 if state == "leased" else None)
    with refused_by("pair_stays_as_it_was_given"):
        study.pairs.update(**change)


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        ({"state": "dropped"}, "pair_state_fits_its_decision"),
        ({"state": "held", "decision": "show"}, "pair_state_fits_its_decision"),
        ({"decision": "mask"}, "pair_shows_other_texts_where_masked"),
        ({"shown_b": "another text"}, "pair_shows_other_texts_where_masked"),
    ],
)
def test_the_database_lets_no_state_contradict_its_decision(change, promise):
    study = cast.a_rateable_study(pairs=1)
    with refused_by(promise):
        study.pairs.update(**change)


def test_the_database_keeps_replaced_answers_out_of_pairs():
    study = cast.a_rateable_study(pairs=1)
    with refused_by("response_replaced_is_in_no_pair"):
        study.responses.update(replaced_at=timezone.now())
    study.pairs.update(state="replaced", decision="regenerate")
    study.responses.update(replaced_at=timezone.now())
    with refused_by("pair_of_answers_that_stand"):
        study.pairs.update(state="open", decision="")
    pair = study.pairs.get()
    pair.pk, pair.state, pair.decision = None, "held", ""
    pair.response_a, pair.response_b = pair.response_b, pair.response_a
    with refused_by("pair_of_answers_that_stand"):
        pair.save()


# Show, mask, drop


def test_shown_as_it_is_a_pair_is_rated_like_any_other():
    study = a_marked_study()
    assert decide(study, keys(study), "show", cast.alice()).done == 1
    shown = blind_pair(claim_next_pair(cast.a_rater(study, cast.bob())))
    assert "Qwen" in shown.left.html + shown.right.html
    event = study.events.get(verb="decide")
    assert (event.actor, event.detail["decision"]) == (cast.alice(), "show")


def test_a_masked_name_is_seen_by_no_rater_and_kept_in_the_answer():
    study = a_marked_study()
    assert decide(study, keys(study), "mask").done == 1
    pair = study.pairs.get()
    assert pair.response_a.text == OWN_NAME
    assert pair.shown_a == "I am **▇▇▇**, made by ▇▇▇. Kites fly by lift." and pair.shown_b is None
    shown = blind_pair(claim_next_pair(cast.a_rater(study, cast.bob())))
    assert "<strong>▇▇▇</strong>" in shown.left.html + shown.right.html
    assert "Qwen" not in str(shown) and "Alibaba" not in str(shown)


def test_a_pair_without_a_name_cannot_be_masked():
    study = a_marked_study(" ", PLAIN)
    decided = decide(study, keys(study), "mask")
    assert (decided.done, decided.refused) == (0, {review.NO_NAME: 1})
    assert study.pairs.get().state == PairState.HELD
    assert not study.events.filter(verb="decide").exists()


def test_a_dropped_pair_leaves_the_study_and_keeps_its_rows():
    study = a_marked_study(pairs=2)
    first, second = keys(study)
    assert decide(study, [first], "drop").done == 1
    study.refresh_from_db()
    progress = rating_progress(study)
    assert (study.pair_count, progress.pairs, progress.waiting, progress.dropped) == (1, 1, 1, 1)
    assert progress.needed == study.overlap
    assert Pair.objects.get(pk=first).response_a.text == OWN_NAME
    assert make_pairs(study) == 0
    decide(study, [second], "drop")
    with pytest.raises(NothingLeft):
        claim_next_pair(cast.a_rater(study, cast.bob()))


def test_a_dropped_pair_takes_no_imported_judgment(tmp_path):
    study = a_marked_study()
    decide(study, keys(study), "drop")
    key = study.prompts.get().key
    row = about_pair(key=key, arm_a="arm 0", arm_b="arm 1", balance=1)
    assert "was dropped from the study" in refusal("import_judgments", study, jsonl(tmp_path, row))


def test_many_pairs_are_decided_at_once_and_each_only_once():
    study = a_marked_study(pairs=5)
    wanted = keys(study)
    assert decide(study, wanted, "show").done == 5
    again = decide(study, wanted, "drop")
    assert (again.done, again.refused) == (0, {review.NOT_WAITING: 5})
    assert study.pairs.of_study().count() == 5


def test_what_a_rater_was_given_can_no_longer_change():
    study = a_marked_study()
    wanted = keys(study)
    decide(study, wanted, "show")
    cast.a_judgment(cast.a_rater(study, cast.bob()))
    for decision in ("mask", "regenerate", "drop"):
        decided = decide(study, wanted, decision)
        assert (decided.done, decided.refused) == (0, {review.TAKEN: 1})


def test_a_waiting_pair_that_was_judged_elsewhere_can_only_be_shown(tmp_path):
    study = a_marked_study()
    row = about_pair(key=study.prompts.get().key, arm_a="arm 0", arm_b="arm 1", balance=1)
    call_command("import_judgments", study.slug, jsonl(tmp_path, row))
    assert decide(study, keys(study), "drop").refused == {review.TAKEN: 1}
    assert decide(study, keys(study), "show").done == 1


def test_another_study_s_pairs_are_left_alone():
    study = a_marked_study()
    other = cast.a_study("other")
    assert decide(other, keys(study), "drop").done == 0
    assert study.pairs.get().state == PairState.HELD


def test_an_unknown_decision_is_refused():
    study = a_marked_study()
    with pytest.raises(ReviewRefused, match="show, mask, regenerate, drop"):
        decide(study, keys(study), "burn")


# Regenerate


def a_generated_study(temperature=0.7, arms=("one", "two")):
    """Arms whose answers name their maker, generated by the runtime; every pair waits."""
    study = cast.a_study()
    sampling = {"temperature": temperature, "max_new_tokens": 5}
    for name in arms:
        cast.an_arm(study, name, system_prompt=f"You are {name}.", sampling=sampling)
    cast.a_prompt(study)
    work(study, runs.start_run(study))
    study.refresh_from_db()
    return study


def work(study, run):
    """Do what workers do with a run."""
    while batch := runs.claim_batch(run.pk, "w"):
        assert generating.generate(batch, BackendCache())
    run.refresh_from_db()
    assert runs.finish_run(run)


def test_an_answer_generated_again_takes_the_place_and_the_old_one_is_kept():
    study = a_generated_study()
    old = study.pairs.get()
    decided = decide(study, [old.pk], "regenerate", cast.alice())
    old.refresh_from_db()
    study.refresh_from_db()
    assert (decided.done, old.state, study.pair_count) == (1, PairState.REPLACED, 0)
    assert decided.run.seed != study.runs.last().seed
    work(study, decided.run)
    study.refresh_from_db()
    new = study.pairs.of_study().get()
    assert {new.response_a.arm.name, new.response_b.arm.name} == {"one", "two"}
    assert new.response_a_id != old.response_a_id and new.response_a.seed != old.response_a.seed
    assert new.position != old.position and study.pair_count == 1
    assert Response.objects.filter(replaced_at__isnull=False).count() == 2
    assert old.response_a.marks.exists()


def test_a_run_after_a_cancelled_one_does_not_bring_the_old_answer_back():
    study = a_generated_study()
    decided = decide(study, keys(study), "regenerate")
    runs.cancel_run(decided.run)
    later = runs.start_run(study)
    assert later.seed not in (study.seed, decided.run.seed)
    work(study, later)
    assert runs.start_run(study, samples=2).seed == study.seed


def test_only_the_marked_answer_is_generated_again():
    study = a_generated_study()
    pair = study.pairs.get()
    pair.response_b.marks.all().delete()
    decide(study, [pair.pk], "regenerate")
    pair.response_a.refresh_from_db()
    pair.response_b.refresh_from_db()
    assert pair.response_a.replaced_at and not pair.response_b.replaced_at


def test_every_pair_of_a_replaced_answer_is_withdrawn():
    study = a_generated_study(arms=("one", "two", "three"))
    Mark.objects.exclude(response__arm__name="one").delete()
    pair = study.pairs.filter(response_a__arm__name="one").first()
    decided = decide(study, [pair.pk], "regenerate")
    assert study.pairs.filter(state=PairState.REPLACED).count() == 2
    work(study, decided.run)
    study.refresh_from_db()
    assert study.pair_count == study.pairs.of_study().count() == 3


def test_an_answer_of_a_pair_that_was_rated_stays():
    study = a_generated_study(arms=("one", "two", "three"))
    Mark.objects.exclude(response__arm__name="one").delete()
    first, second = study.pairs.filter(response_a__arm__name="one")
    decide(study, [first.pk], "show")
    claim_next_pair(cast.a_rater(study, cast.bob()))
    decided = decide(study, [second.pk], "regenerate")
    assert decided.done == 0 and "another pair" in next(iter(decided.refused))
    assert not Response.objects.filter(replaced_at__isnull=False).exists()


@pytest.mark.parametrize(
    ("study", "reason"),
    [(a_marked_study, "imported"), (lambda: a_generated_study(temperature=0.0), "same answer again")],
    ids=["imported", "greedy"],
)
def test_what_cannot_be_generated_again_says_so(study, reason):
    study = study()
    decided = decide(study, keys(study), "regenerate")
    assert decided.done == 0 and decided.run is None
    assert reason in next(iter(decided.refused))
    assert study.pairs.get().state == PairState.HELD


def test_nothing_is_generated_again_while_a_run_is_under_way():
    study = a_generated_study()
    cast.a_prompt(study)
    runs.start_run(study)
    with pytest.raises(ReviewRefused, match="not finished"):
        decide(study, keys(study), "regenerate")
    assert study.pairs.get().state == PairState.HELD


def test_a_cancelled_follow_up_is_made_up_for_by_the_next_run():
    study = a_generated_study()
    decided = decide(study, keys(study), "regenerate")
    runs.cancel_run(decided.run)
    run = runs.start_run(study)
    assert run.batches.count() == 2
    work(study, run)
    assert study.pairs.of_study().count() == 1 and run.state == RunState.GENERATED


# Taking back


def test_decisions_are_taken_back_while_nobody_was_given_the_pair():
    study = a_marked_study(pairs=3)
    shown, masked, dropped = wanted = keys(study)
    for pair, decision in zip(wanted, ("show", "mask", "drop"), strict=True):
        decide(study, [pair], decision)
    taken = take_back(study, wanted, cast.alice())
    assert (taken.pairs, taken.refused, keys(study)) == (sorted(wanted), {}, wanted)
    assert set(study.pairs.values_list("decision", "shown_a", "shown_b")) == {("", None, None)}
    study.refresh_from_db()
    assert study.pair_count == 3
    assert study.events.get(verb="take_back").detail["pairs"] == sorted(wanted)


def test_a_decision_stands_once_a_rater_was_given_the_pair():
    study = a_marked_study()
    wanted = keys(study)
    decide(study, wanted, "mask")
    claim_next_pair(cast.a_rater(study, cast.bob()))
    assert take_back(study, wanted).refused == {review.TAKEN: 1}
    assert study.pairs.get().shown_a


def test_what_waits_has_no_decision_to_take_back():
    study = a_marked_study()
    assert take_back(study, keys(study)).refused == {review.NOT_DECIDED: 1}


def test_a_dropped_pair_stays_away_when_its_answer_was_generated_again():
    study = a_generated_study(arms=("one", "two", "three"))
    Mark.objects.exclude(response__arm__name="one").delete()
    first, second = study.pairs.filter(response_a__arm__name="one")
    decide(study, [first.pk], "drop")
    decide(study, [second.pk], "regenerate")
    assert take_back(study, [first.pk, second.pk]).refused == {review.AGAIN_ALREADY: 2}


# Looking again


def forget_the_scanner(study):
    """As if every pair were from before the scanner."""
    Mark.objects.all().delete()
    study.responses.update(scanner="")
    study.pairs.update(state=PairState.OPEN, scanner="")


def test_pairs_from_before_the_scanner_are_found_once():
    study = a_marked_study(pairs=3)
    forget_the_scanner(study)
    taken = claim_next_pair(cast.a_rater(study, cast.bob())).pair
    found = rescan(study, cast.alice())
    assert (found.looked_at, found.held, found.opened) == (2, 2, 0)
    assert rescan(study).looked_at == 0
    assert not study.pairs.held().filter(pk=taken.pk).exists()
    assert study.events.get(verb="rescan").actor == cast.alice()


def test_a_newer_scanner_opens_what_only_an_older_one_marked(monkeypatch):
    study = a_marked_study(pairs=2)
    kept, *_ = keys(study)
    monkeypatch.setattr("annotation.scan.VERSION", "2")
    answer = Pair.objects.get(pk=kept).response_a.text
    Response.objects.filter(pairs_as_a=kept).update(text=f"{answer} I am Qwen.")
    monkeypatch.setattr(
        "annotation.scan.scan_response",
        lambda text, *_: [Finding("identity", {"spans": []})] if text.endswith("I am Qwen.") else [],
    )
    found = rescan(study)
    assert (found.looked_at, found.held, found.opened) == (2, 0, 1)
    assert keys(study) == [kept]
    assert set(Mark.objects.standing().values_list("scanner", flat=True)) == {"2"}
    assert Mark.objects.filter(scanner="1").count() == 2


def test_what_was_decided_is_not_asked_again(monkeypatch):
    study = a_marked_study()
    decide(study, keys(study), "show")
    monkeypatch.setattr("annotation.scan.VERSION", "2")
    assert rescan(study).looked_at == 0


def test_more_pairs_than_one_chunk_are_looked_at(monkeypatch):
    monkeypatch.setattr("annotation.actions.reviewing.CHUNK", 2)
    study = a_marked_study(pairs=5)
    forget_the_scanner(study)
    assert rescan(study).held == 5


def test_an_answer_in_many_pairs_is_read_once(monkeypatch):
    read = []
    scanner = scan.scan_response
    monkeypatch.setattr("annotation.scan.scan_response", lambda *a: read.append(a) or scanner(*a))
    study = a_marked_study(OWN_NAME, PLAIN, "It is the lift.", "Wind.")
    make_pairs(study)
    assert len(read) == 4 and study.pairs.held().count() == 3


def test_more_pairs_than_one_decision_takes_are_refused(monkeypatch):
    monkeypatch.setattr("annotation.actions.reviewing.MOST_AT_ONCE", 1)
    study = a_marked_study(pairs=2)
    with pytest.raises(ReviewRefused, match="At most 1 pairs"):
        decide(study, keys(study), "show")
