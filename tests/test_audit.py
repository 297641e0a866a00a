"""The record of what happened: sealed part by part, so that whoever rewrites it is found out."""

import json
import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from annotation.actions import events, members, removing, sealing, studies
from annotation.actions.enrolment import set_state
from annotation.models import Event, Seal, Study, triggers
from annotation.reports.audit import audit_study
from annotation.reports.record import Asked, record_choices, record_rows
from annotation.vocabulary import EnrolmentState, StudyRole, StudyState
from tests import cast

NOW = timedelta(milliseconds=-5)  # SQLite rounds to milliseconds, perhaps into the future


@pytest.fixture
def study(db):
    """Seven events in seals of three, three and one."""
    made = cast.a_study()
    for number in range(6):
        events.record(made, "note", cast.alice(), number=number)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sealing, "EVENTS_A_SEAL", 3)
        assert sealing.seal_study(made, NOW) == 3
    return made


def forged(action) -> None:
    """Done by somebody who took the triggers away, as the database's owner can."""
    triggers.remove(connection)
    action()
    triggers.install(connection)


def verified(*words, **options) -> str:
    said = StringIO()
    call_command("verify_audit", *words, stdout=said, **options)
    return said.getvalue()


def test_what_was_sealed_holds_and_is_counted(study):
    events.record(study, "later")
    found = audit_study(study)
    assert (found.holds, found.seals, found.sealed, found.unsealed) == (True, 3, 7, 1)
    assert "kites: 7 events in 3 seals, 1 since. All as it was sealed." in verified()


def test_nothing_is_sealed_twice(study):
    assert sealing.seal_study(study, NOW) == 0
    events.record(study, "later")
    assert sealing.seal_all(NOW) == 1
    assert study.seals.first().number == 4 and audit_study(study).holds


def test_what_happened_just_now_waits(study):
    events.record(study, "later")
    assert sealing.seal_study(study) == 0


@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_changed_event_is_named(study, place):
    event = study.events.in_order()[place]
    forged(lambda: study.events.filter(pk=event.pk).update(detail={"number": 99}))
    assert f"Seal {place // 3 + 1}: event {event.pk} (" in audit_study(study).broken
    with pytest.raises(CommandError, match="The record of 1 study does not hold"):
        verified()


def test_who_did_it_and_when_are_sealed_too(study):
    event = study.events.in_order()[1]
    forged(lambda: study.events.filter(pk=event.pk).update(actor=cast.mallory()))
    assert f"event {event.pk} (" in audit_study(study).broken
    moved = study.events.in_order()[1].created_at + timedelta(microseconds=1)
    forged(lambda: study.events.filter(pk=event.pk).update(actor=cast.alice(), created_at=moved))
    assert audit_study(study).broken


def test_a_removed_event_is_found(study):
    gone, following = study.events.in_order()[4:6]
    forged(lambda: study.events.filter(pk=gone.pk)._raw_delete("default"))
    assert f"event {following.pk} (" in audit_study(study).broken


def test_the_last_event_of_a_seal_is_missed(study):
    gone = study.events.in_order().last()
    forged(lambda: study.events.filter(pk=gone.pk)._raw_delete("default"))
    assert audit_study(study).broken == "Seal 3: 1 of its last events are missing."


def test_an_event_that_was_slipped_in_is_named(study):
    slipped = events.record(study, "nothing_to_see")
    first = study.events.in_order().first()
    forged(lambda: Event.objects.filter(pk=slipped.pk).update(id=first.pk - 1, created_at=first.created_at))
    assert f"event {first.pk - 1} (nothing_to_see" in audit_study(study).broken


def test_a_chain_that_was_made_anew_is_told_by_a_seal_kept_elsewhere(study, tmp_path):
    kept = tmp_path / "seals.json"
    verified(keep=kept)
    assert json.loads(kept.read_text())["kites"]["number"] == 3
    assert "All as it was sealed" in verified(against=kept)

    def begin_anew():
        Seal.objects.all()._raw_delete("default")
        study.events.filter(verb="note").update(detail={})
        sealing.seal_study(study, NOW)

    forged(begin_anew)
    assert audit_study(study).holds  # by itself it cannot know
    with pytest.raises(CommandError):
        verified(against=kept)


def test_seals_kept_elsewhere_are_found_when_their_studys_name_went_to_another(study, tmp_path):
    kept = tmp_path / "seals.json"
    verified(keep=kept)
    Study.objects.filter(pk=study.pk).update(state=StudyState.CLOSED)
    removing.delete_study(study, "kites", cast.alice())
    events.record(cast.a_study("kites"), "begun")
    assert "BROKEN" not in verified(against=kept)


def test_seals_kept_by_an_earlier_version_are_known_by_name(study, tmp_path):
    kept = tmp_path / "seals.json"
    kept.write_text(json.dumps({"kites": {"number": 3, "digest": "0" * 64}}))
    with pytest.raises(CommandError):
        verified(against=kept)
    kept.write_text(json.dumps({"kites": {"number": 3, "digest": study.seals.first().digest}}))
    assert "BROKEN" not in verified(against=kept)


def test_a_changed_seal_is_found(study):
    forged(lambda: study.seals.filter(number=2).update(digest="0" * 64))
    assert audit_study(study).broken.startswith("Seal 2 was changed")
    forged(lambda: study.seals.filter(number=1)._raw_delete("default"))
    assert audit_study(study).broken == "Seal 1 is missing."


def test_seals_that_cannot_be_read_are_refused_in_a_sentence(study, tmp_path):
    file = tmp_path / "seals.json"
    for text in ("[1]", "{", '{"kites": {}}', '{"kites": 3}'):
        file.write_text(text)
        with pytest.raises(CommandError, match="Name a file that --keep wrote"):
            verified(against=file)


@pytest.mark.postgresql
def test_an_event_under_way_holds_the_seals_back(committed_db):
    """It would come between events that were sealed already."""
    study = cast.a_study()
    written, seen = threading.Event(), threading.Event()

    def write_slowly():
        with transaction.atomic():
            events.record(study, "slow")
            written.set()
            seen.wait(10)
        connection.close()

    thread = threading.Thread(target=write_slowly)
    thread.start()
    written.wait(10)
    events.record(study, "quick")
    try:
        assert sealing.seal_study(study, NOW) == 1
        assert study.seals.first().events == 1  # that the study was made
    finally:
        seen.set()
        thread.join()
    sealing.seal_study(study, NOW)
    assert audit_study(study).holds and audit_study(study).sealed == 3


@pytest.mark.once
def test_two_sealers_make_one_chain(committed_db):
    study = cast.a_study()
    for number in range(40):
        events.record(study, "note", number=number)

    def seal():
        sealing.seal_study(study, NOW)
        connection.close()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sealing, "EVENTS_A_SEAL", 5)
        threads = [threading.Thread(target=seal) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = audit_study(study)
    assert found.holds and found.sealed == 41 and found.unsealed == 0


def test_the_page_tells_who_did_what(client, study):
    cast.a_judgment(cast.a_rater(cast.a_rateable_study(slug="boats"), cast.bob()))
    client.force_login(cast.alice())
    page = client.get("/desk/boats/record/").content.decode()
    assert "Create study" in page and "alice" in page and "Enrol" in page
    assert "Submit judgment" not in page and "bob" not in page  # raters are told by their code
    assert "Submit judgment" in client.get("/desk/boats/record/?judging=on").content.decode()


def test_the_record_can_be_narrowed_down_and_paged(client, study, monkeypatch):
    monkeypatch.setattr("annotation.reports.record.A_PAGE", 4)
    client.force_login(cast.alice())
    first = client.get("/desk/kites/record/").content.decode()
    assert first.count('<th scope="row">') == 4 and "Older" in first
    older = first.split("before=")[1].split('"')[0]
    second = client.get(f"/desk/kites/record/?before={older}").content.decode()
    assert second.count('<th scope="row">') == 3 and "number: 0" in second and "number: 5" not in second
    assert "number:" not in client.get("/desk/kites/record/?verb=create_study").content.decode()
    assert "Nothing like that" in client.get("/desk/kites/record/?by=system").content.decode()
    tomorrow = timezone.now() + timedelta(days=2)
    assert (
        "Nothing like that" in client.get(f"/desk/kites/record/?since={tomorrow:%Y-%m-%d}").content.decode()
    )
    for odd in ("before=x~y", "before=2020-01-01~1", "since=never", "by=nobody", "until=9999-12-31"):
        assert client.get(f"/desk/kites/record/?{odd}").status_code == 200


def test_the_file_holds_everything_and_no_formula(client, study):
    events.record(study, "note", cast.alice(), text="=1+1")
    events.record(study, "=1+1")
    client.force_login(cast.alice())
    reply = client.get("/desk/kites/record.csv")
    lines = b"".join(reply.streaming_content).decode().splitlines()
    assert lines[0] == "event,at,who,what,detail" and len(lines) == 10
    assert lines[1].split(",")[3] == "'=1+1"


@pytest.mark.django_db
def test_a_member_who_is_no_researcher_elsewhere_is_told_by_name(client):
    study = cast.a_rateable_study()
    place = cast.a_rater(study, cast.bob())
    members.add_member(study, cast.carol(), StudyRole.EDITOR, cast.alice())
    set_state(place, EnrolmentState.PAUSED, cast.carol())
    studies.change_study(study, cast.carol(), overlap=3)
    who = {row[3]: row[2] for row in record_rows(study, Asked())}
    assert who["set_rater_state"] == who["change_study"] == "carol"
    client.force_login(cast.alice())
    page = client.get("/desk/kites/record/?by=carol").content.decode()
    assert page.count('<th scope="row">') == 2


@pytest.mark.django_db
def test_a_rater_is_told_by_the_code_alone_whatever_else_they_are():
    study = cast.a_rateable_study()
    places = [cast.a_rater(study, person) for person in (cast.bob(), cast.mallory())]
    for place in places:
        cast.a_judgment(place)
        set_state(place, EnrolmentState.PAUSED, place.user)
    members.add_member(study, cast.bob(), StudyRole.VIEWER, cast.alice())
    told = [row[2] for row in record_rows(study, Asked(judging=True))]
    assert not {"bob", "mallory"} & set(told) and {place.code for place in places} < set(told)
    assert record_choices(study).people == ("alice", "bob")  # who is a member now
    assert not list(record_rows(study, Asked(by="bob", judging=True)))


def test_nobody_elses_record_is_there(client, study):
    client.force_login(cast.mallory())
    assert client.get("/desk/kites/record/").status_code == 404
    assert client.get("/desk/kites/record.csv").status_code == 404
