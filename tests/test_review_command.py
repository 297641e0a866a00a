"""`manage.py review`: the review from the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Pair
from annotation.vocabulary import PairState
from tests.actions.test_reviewing import (
    OWN_NAME,
    PLAIN,
    a_generated_study,
    a_marked_study,
    forget_the_scanner,
    keys,
)

pytestmark = pytest.mark.django_db


def say(*words) -> str:
    said, complaints = StringIO(), StringIO()
    call_command("review", "kites", *map(str, words), stdout=said, stderr=complaints)
    return said.getvalue() + complaints.getvalue()


def test_waiting_pairs_are_listed_without_a_models_words():
    study = a_marked_study(f"\x1b[31m {OWN_NAME}", " ")
    said = say("list")
    assert f"{keys(study)[0]}  {study.prompts.get().key}, sample 1  arm 0: identity; arm 1: empty" in said
    assert "empty: 1 pair, 0 with no other mark" in said and "1 pair of “kites” waits for review." in said
    assert "Qwen" not in said and "\x1b" not in said
    assert "identity;" not in say("list", "--kind", "truncated")


def test_pairs_are_decided_by_number_or_by_kind_and_taken_back(monkeypatch):
    monkeypatch.setattr("annotation.management.commands.review.MOST_AT_ONCE", 2)
    study = a_marked_study(" ", PLAIN, pairs=3)
    wanted = keys(study)
    assert "No such pair waits." in say("show", "--kind", "identity")
    assert say("show", "--kind", "empty") == "show: 2 pairs\nshow: 1 pair\n"
    assert "take-back: 2 pairs" in say("take-back", "--pairs", *wanted)
    assert "drop: 1 pair" in say("drop", "--pairs", wanted[0])
    assert Pair.objects.get(pk=wanted[0]).state == PairState.DROPPED


def test_where_every_pair_is_refused_the_command_fails_and_says_why():
    study = a_marked_study(" ", PLAIN)
    said = StringIO()
    with pytest.raises(CommandError, match="Nothing was changed."):
        call_command("review", "kites", "mask", "--pairs", str(keys(study)[0]), stdout=said)
    assert "1 left as before: There is no name in it" in said.getvalue()


def test_a_number_that_no_pair_has_is_named():
    wanted = keys(a_marked_study())[0]
    with pytest.raises(CommandError, match=f"“kites” has no pair {wanted + 7}; nothing was changed."):
        say("show", "--pairs", wanted, wanted + 7)
    assert Pair.objects.get().state == PairState.HELD


def test_generating_again_tells_the_workers(hints):
    study = a_generated_study()
    said = say("regenerate", "--kind", "truncated")
    assert f"Run {study.runs.numbered().first().number} generates the new answers." in said
    assert hints == [study.runs.first()]
    with pytest.raises(CommandError, match="not finished"):
        say("regenerate", "--pairs", study.pairs.get().pk)


def test_pairs_are_looked_at_again():
    forget_the_scanner(a_marked_study(pairs=2))
    assert say("rescan") == "2 pairs looked at: 2 wait now, 0 are open now.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show"], "one of the two"),
        (["show", "--pairs", "1", "--kind", "empty"], "one of the two"),
        (["take-back", "--kind", "empty"], "Name --pairs."),
        (["burn"], "invalid choice"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(words, message):
    study = a_marked_study()
    with pytest.raises(CommandError, match=message):
        say(*words)
    assert study.pairs.get().state == PairState.HELD
