"""Whoever changes a study leaves an event: each verb that writes reaches `events.record`, or is listed."""

import ast
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.once

ACTIONS = Path(settings.BASE_DIR) / "annotation" / "actions"
WRITES = {
    "save",
    "delete",
    "create",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
    "insert",
}
RECORDS = {"record", "record_by_rater"}

SILENT = {
    "adaptive": "give_back_unused",  # part of closing a pair, which is recorded
    "arms": "add_arm freeze_arm",  # add_arm: its callers record who asked; freezing is part of a run
    "prompts": "add_prompt",  # its callers record who asked
    "bulk": "insert",
    "events": "record record_by_rater",
    "sealing": "seal_all seal_study",
    "leases": "claim_first renew release finish fail requeue",  # work in hand, not the study
    # What raters hold is told by their assignments, and ends in a judgment or a flag, which are recorded.
    "claims": "claim_next_pair keep_progress renew heartbeat take_next hold take_slot free_slot "
    "take_up_skipped release_expired_leases",
    "drafts": "keep_draft drop_drafts drop_left_drafts",
    "personal": "set_preferences opt_out",  # a rater's own
    "leaving": "take_work leave",  # part of withdrawing work, which is recorded
    "enrolment": "enrol_imported",  # part of an import, which is recorded
    "marking": "keep_marks",
    "pairing": "keep_imported",
    "grading": "grade record_grades",  # a worker's part of a grading that was recorded
    "runs": "record_completions requeue_stale note_worker",
    "training": "train note requeue_stale",
    "forking": "copy_prompts",  # its callers record who asked
    "freezing": "requeue_stale",
    "registering": "run",  # arms.register_checkpoint records
    "pulse": "take_pulse take_signals",  # numbers that are counted again
    # a person's own, of no study; requests are told by what they did
    "tokens": "make_token note_use revoke_token begin_reply keep_reply forget_reply drop_old_replies",
    "reporting": "look ask make prune",  # results are read, and can be made again
    "quality": "resume_rater",  # by enrolment.set_state, which records
    "imports/jobs": "remap",  # starting the import records how its columns were read
    "backups/restoring": "settle_paths",
}


def named_in(function: ast.FunctionDef) -> set[str]:
    """The functions and methods it calls; `update` only where it writes columns."""
    found = set()
    for call in ast.walk(function):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        if name != "update":
            found.add(name)
        elif call.keywords and not call.args:
            found.add("save")
    return found


def reached_from(name: str, functions: dict[str, ast.FunctionDef], seen: set[str]) -> set[str]:
    seen.add(name)
    found = named_in(functions[name])
    for called in found & functions.keys() - seen:
        found |= reached_from(called, functions, seen)
    return found


def silent_verbs(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    public = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
    reached = {name: reached_from(name, functions, set()) for name in public}
    return {name for name, found in reached.items() if found & WRITES and not found & RECORDS}


@pytest.mark.parametrize("path", sorted(ACTIONS.rglob("*.py")), ids=lambda path: path.stem)
def test_every_verb_that_changes_a_study_leaves_an_event(path):
    room = str(path.relative_to(ACTIONS).with_suffix(""))
    assert silent_verbs(path) == set(SILENT.get(room, "").split())


def test_one_that_says_nothing_is_found(tmp_path):
    file = tmp_path / "verbs.py"
    file.write_text(
        "def a():\n    b()\ndef b():\n    rows.update(x=1)\ndef c():\n    b()\n    events.record(1)\n"
    )
    assert silent_verbs(file) == {"a", "b"}
