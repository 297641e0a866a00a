"""What the database itself refuses, whatever the code does."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from annotation.actions import sealing
from annotation.actions.arms import freeze_arm
from annotation.actions.claims import claim_next_pair
from annotation.actions.runs import start_run
from annotation.models import (
    Arm,
    Assignment,
    Event,
    Judgment,
    Pair,
    Prompt,
    ResponseJudgment,
    Seal,
    triggers,
)
from annotation.models.model_settings import MODEL_SETTINGS
from annotation.vocabulary import AssignmentState
from tests.cast import (
    a_judgment,
    a_prompt,
    a_rateable_study,
    a_rater,
    a_response,
    a_study,
    an_arm,
    bob,
    carol,
)

pytestmark = pytest.mark.django_db


def refused(action, by):
    """`by`: the promise's name, or what SQLite says instead: the columns of a unique constraint."""
    with pytest.raises(IntegrityError, match=by), transaction.atomic():
        action()


@pytest.mark.parametrize("table", [Judgment, ResponseJudgment, Event])
def test_judgments_and_events_cannot_be_changed_or_removed(table):
    a_judgment(a_rater(a_rateable_study(), bob()))
    rows = table.objects.filter(pk=table.objects.first().pk)
    refused(lambda: rows.update(id=10_000), by="append_only")
    refused(lambda: rows._raw_delete(rows.db), by="append_only")


def test_a_seal_cannot_be_changed_or_removed():
    sealing.seal_study(a_study(), timedelta(milliseconds=-5))
    seals = Seal.objects.filter(number=1)
    assert seals.count() == 1
    refused(lambda: seals.update(digest=""), by="seal_is_append_only")
    refused(lambda: seals._raw_delete(seals.db), by="seal_is_append_only")


def test_a_pair_never_has_two_raters_in_one_slot():
    pair = claim_next_pair(a_rater(a_rateable_study(pairs=1), bob())).pair
    refused(lambda: hold(pair, carol(), slot=0), by="assignment_once_per_slot|assignment.slot")


def test_a_pair_never_has_a_slot_beyond_its_overlap():
    pair = a_rateable_study(pairs=1, overlap=2).pairs.get()
    refused(lambda: hold(pair, bob(), slot=2), by="assignment_within_overlap")


def test_a_hold_cannot_be_moved_beyond_the_overlap():
    held = claim_next_pair(a_rater(a_rateable_study(pairs=1), bob()))
    refused(lambda: Assignment.objects.filter(pk=held.pk).update(slot=7), by="assignment_within_overlap")


def test_the_overlap_cannot_shrink_below_the_raters_a_pair_has():
    study = a_rateable_study(pairs=1, overlap=2)
    for person in (bob(), carol()):
        a_judgment(a_rater(study, person))
    refused(lambda: study.pairs.update(overlap=1), by="pair_overlap_covers_its_assignments")


def test_a_rater_never_has_a_pair_twice():
    study = a_rateable_study(pairs=1)
    judgment = a_judgment(a_rater(study, bob()))
    refused(lambda: hold(judgment.pair, bob(), slot=1), by="once_per_rater|assignment.enrolment_id")


def test_a_rater_never_holds_two_pairs():
    study = a_rateable_study(pairs=2)
    held = claim_next_pair(a_rater(study, bob()))
    other = study.pairs.exclude(pk=held.pair_id).get()
    refused(lambda: hold(other, bob(), slot=0), by="leased_once_per_rater|assignment.enrolment_id")


def test_open_slots_never_leave_their_range():
    pairs = Pair.objects.filter(study=a_rateable_study(pairs=1))
    refused(lambda: pairs.update(open_slots=3), by="pair_open_slots_within_overlap")


def test_a_response_without_a_batch_is_an_import():
    study = a_rateable_study(pairs=1)
    refused(lambda: study.responses.update(finish_reason="stop"), by="response_generated_or_imported")


def test_severity_belongs_to_unsafe_responses_only():
    judgment = a_judgment(a_rater(a_rateable_study(), bob()))
    row = judgment.responses.first()
    bad = ResponseJudgment(judgment=a_copy(judgment), response=row.response, safety="clearly_safe")
    bad.severity = "high"
    refused(bad.save, by="response_judgment_severity_only_if_unsafe")


@pytest.mark.parametrize(
    ("wrong", "promise"),
    [
        ({"safer_canonical": 3}, "judgment_safer_canonical_matches_shown"),
        ({"balance_canonical": None}, "judgment_balance_canonical_matches_shown"),
        ({"both_bad": True}, "judgment_both_bad_is_not_a_balance"),
        ({"more_helpful": 4, "more_helpful_canonical": 4}, "judgment_more_helpful_"),
        ({"left_is_a": None}, "judgment_of_a_pair_or_a_response|canonical_matches_shown"),
    ],
)
def test_a_judgments_sides_must_agree(wrong, promise):
    judgment = a_judgment(a_rater(a_rateable_study(), bob()))
    refused(lambda: a_copy(judgment, **wrong), by=promise)


def test_a_frozen_arm_keeps_its_settings():
    arm = an_arm(a_study(), "kept")
    freeze_arm(arm)
    changes = {name: "4bit" for name in MODEL_SETTINGS}  # which is none of them now, and allowed for each
    changes |= {"system_prompt": "other", "sampling": {"top_k": 1}, "frozen_at": None}
    for change in changes.items():
        refused(
            lambda change=dict([change]): Arm.objects.filter(pk=arm.pk).update(**change),
            by="arm_stays_as_it_generated",
        )


def test_a_prompt_that_was_answered_keeps_its_wording():
    prompts = Prompt.objects.filter(study=a_rateable_study(pairs=1))
    refused(lambda: prompts.update(key="other"), by="prompt_stays_as_it_was_asked")
    refused(lambda: prompts.update(messages=[]), by="prompt_stays_as_it_was_asked")
    assert prompts.update(family="kites") == 1


def test_a_prompt_that_waits_in_a_run_keeps_its_wording():
    study = a_study()
    an_arm(study, "one")
    prompts = Prompt.objects.filter(pk=a_prompt(study).pk)
    assert prompts.update(key="renamed before the run") == 1
    start_run(study)
    refused(lambda: prompts.update(key="other"), by="prompt_stays_as_it_was_asked")


def test_an_arm_may_be_renamed_when_frozen():
    arm = an_arm(a_study(), "kept")
    freeze_arm(arm)
    assert Arm.objects.filter(pk=arm.pk).update(name="renamed") == 1


def test_an_arm_with_imported_responses_gets_no_backend():
    study = a_study()
    empty, full = (an_arm(study, name, backend="", model="") for name in ("empty", "full"))
    a_response(a_prompt(study), full)
    for arm in (empty, full):
        assert Arm.objects.filter(pk=arm.pk).update(name=f"{arm.name} one") == 1
    assert Arm.objects.filter(pk=empty.pk).update(backend="scripted", model="echo") == 1
    rows = Arm.objects.filter(pk=full.pk)
    refused(lambda: rows.update(backend="scripted"), by="arm_of_imported_responses_generates_none")


def test_a_study_has_one_unfinished_run():
    study = a_study()
    study.runs.create(seed=1)
    refused(lambda: study.runs.create(seed=1), by="run_unfinished_once_per_study|run.study_id")


def test_every_trigger_is_there_after_the_migrations():
    """On SQLite a migration that rebuilds a table loses its triggers: it must install them again."""
    catalogue = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    }
    with connection.cursor() as cursor:
        cursor.execute(catalogue[connection.vendor])
        there = {name for (name,) in cursor.fetchall()}
    assert there == triggers.names()


def test_the_triggers_can_be_removed_and_installed_again():
    judgment = a_judgment(a_rater(a_rateable_study(), bob()))
    rows = Judgment.objects.filter(pk=judgment.pk)
    triggers.remove(connection)
    assert rows.update(rationale="changed without the trigger") == 1
    triggers.install(connection)
    triggers.install(connection)
    refused(lambda: rows.update(rationale="not any more"), by="judgment_is_append_only")


def hold(pair, user, slot):
    now = timezone.now()
    return Assignment.objects.create(
        pair=pair,
        enrolment=a_rater(pair.study, user),
        slot=slot,
        left_is_a=True,
        state=AssignmentState.LEASED,
        claimed_at=now,
        lease_until=now,
    )


def a_copy(judgment, **changes):
    """The judgment as a further revision, with changes no action would make."""
    fields = {
        field.attname: getattr(judgment, field.attname)
        for field in Judgment._meta.concrete_fields
        if field.name not in ("id", "created_at")
    }
    fields |= {"revision": judgment.revision + 1, "idempotency_key": "copy", **changes}
    return Judgment.objects.create(**fields)
