"""Who may do what: every address of the project, each method, as everybody who could come.

The addresses are read from the project itself. A new one fails here until `KINDS` says whose it is; what each
kind means for each person stands in `why_wrong`.
"""

import re
import uuid
from collections.abc import Iterator
from copy import deepcopy

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern

from annotation.actions import joining, members, runs
from annotation.actions.joining import Visitor
from annotation.models import Event, Gold, Snapshot, Study
from annotation.vocabulary import GoldUse, StudyRole
from tests import cast

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

KINDS = {
    # anybody, logged in or not; the page itself may ask for more
    "public": """
        favicon.ico join:return join:join forgotten invitation login logout set_language account_login
        account_logout account_inactive account_signup account_reset_password account_reset_password_done
        account_reset_password_from_key account_reset_password_from_key_done account_confirm_email
        account_reauthenticate account_email_verification_sent account_confirm_login_code mfa_authenticate
        mfa_login_webauthn socialaccount_login_cancelled socialaccount_login_error socialaccount_signup
        openid_connect_login
        openid_connect_callback accounts/social/login/cancelled/ accounts/social/login/error/
        accounts/social/signup/ accounts/social/connections/
    """,
    # whoever is logged in, about themselves; of what is not theirs nothing is there
    "own": """
        home account forget account_email account_change_password account_set_password
        mfa_index mfa_reauthenticate mfa_activate_totp mfa_deactivate_totp mfa_view_recovery_codes
        mfa_generate_recovery_codes mfa_download_recovery_codes mfa_list_webauthn mfa_add_webauthn
        mfa_reauthenticate_webauthn mfa_remove_webauthn mfa_edit_webauthn socialaccount_connections
        rate:home rate:judge rate:revise rate:skip rate:feedback rate:dispute rate:disputes rate:practice
        rate:quiz rate:decline rate:flag rate:draft rate:beat rate:preferences rate:single-keys rate:next
        rate:appeal rate:consent rate:welcome rate:completed rate:skipped rate:wellbeing rate:rest
        rate:go-on rate:rehearsal api:claim api:judge api:heartbeat api:skip api:decline api:flag
    """,
    # researchers and members of studies, who see their own studies there
    "desk": "desk:studies desk:archived api:studies",
    # researchers, who begin studies of their own
    "researcher": "desk:new_study",
    # members of the study look, editors and owners send
    "study": """
        desk:study desk:set_state desk:start_run desk:dry_run desk:run desk:control_run desk:plan desk:results
        desk:refresh_results desk:results_file desk:gradings desk:grading desk:control_grading desk:review
        desk:decide desk:take_back desk:rescan desk:reviewed_pair desk:flags desk:answer_flags desk:raters
        desk:joining desk:add_consent desk:consents desk:make_link desk:link desk:revoke_link
        desk:new_return_code desk:members desk:quality desk:set_rules desk:set_mix desk:rater
        desk:control_rater desk:decide_appeal desk:disputes desk:gold desk:make_gold desk:retire_gold
        desk:trainings desk:new_training desk:training desk:training_log desk:make_arm desk:control_training
        desk:responses desk:response_text desk:prompt_text desk:hub desk:imports desk:import
        desk:remap_import desk:import_problems desk:control_import desk:snapshots desk:freeze_snapshot
        desk:setup desk:setup_questions desk:add_further desk:remove_further desk:setup_guideline
        desk:setup_prompts desk:paste_prompts desk:upload_prompts desk:take_prompts desk:setup_prompt
        desk:prompt_row desk:remove_prompt desk:setup_arms desk:setup_arm desk:remove_arm desk:ask_trial
        desk:trial desk:setup_generation desk:setup_pairing desk:setup_raters desk:setup_gold
        desk:setup_rehearsal desk:setup_opening desk:running desk:fork desk:archive desk:restore
        desk:snapshot desk:datasets desk:dataset_file desk:control_dataset desk:ask_report desk:report
        api:study api:dry_run api:runs api:run api:control_run api:gradings api:grading api:grades
        api:control_grading api:review api:decide api:take_back api:rescan api:reviewed_pair api:report
        api:report_file api:datasets api:preview_dataset api:dataset api:dataset_file api:control_dataset
        api:trainings api:training api:training_arm api:control_training api:results api:results_file
        api:fairness api:flags api:progress api:plan api:agreement api:win_rates api:outcomes
    """,
    # any member of the study sends, too
    "member": "desk:leave_study desk:guideline_preview",
    # owners of the study
    "owner": """
        desk:add_member desk:set_role desk:remove_member desk:withdraw_invitation desk:forget_rater
        desk:delete
    """,
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}

NOT_MADE = """
    desk:grading desk:import desk:import_problems desk:training desk:training_log desk:dataset_file
    desk:report desk:snapshot desk:results_file desk:make_arm desk:control_training
    api:grading api:grades api:report api:report_file api:dataset api:dataset_file api:training
    api:training_arm api:results_file api:dry_run api:results desk:make_gold
"""
"""What the study of this test does not have, so that a member who may look finds nothing either."""

ROLES = ("anonymous", "rater", "stranger", "viewer", "editor", "owner", "staff")
MEMBERS = ("viewer", "editor", "owner", "staff")
METHODS = ("get", "options", "post", "put", "delete")
READS = ("get", "options")


def routes(resolver=None, path: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """(name, address with blanks) of every address; one without a name is called by its address."""
    for part in (resolver or get_resolver()).url_patterns:
        here = path + str(part.pattern).lstrip("^")
        if isinstance(part, URLPattern):
            name = f"{space}:{part.name}" if space else part.name
            yield name if part.name else here, here.removesuffix("$")
        else:
            yield from routes(part, here, part.namespace or space)


ROUTES = [(name, path) for name, path in routes() if not path.startswith("admin/")]
ADMIN = [(name, path) for name, path in routes() if path.startswith("admin/")]


def test_every_address_is_declared_and_none_that_is_not_there():
    assert {name for name, _ in ROUTES} == set(KIND_OF)


@pytest.fixture
def study() -> Study:
    """A study with one of most things, an owner, an editor, a viewer and a rater; a stranger has another."""
    study = cast.a_rateable_study(pairs=2)
    cast.an_arm(study, "third")
    runs.start_run(study)
    Snapshot.objects.create(study=study, number=1, folder="/nowhere", manifest={})
    members.add_member(study, cast.carol(), StudyRole.EDITOR, cast.alice())
    members.add_member(study, cast.dan(), StudyRole.VIEWER, cast.alice())
    members.invite(study, "eve@example.org", StudyRole.VIEWER)
    link, _ = joining.make_link(study, "Platform", person_parameter="PID")
    joining.join(link, Visitor("somebody"), 0)
    joining.add_consent_version(study, "You may stop.")
    cast.a_rater(study, cast.bob())
    Gold.objects.create(
        study=study, pair=study.pairs.last(), use=GoldUse.PRACTICE, expected={"balance": 2}, place=1
    )
    cast.mallory()
    cast.person("root", is_staff=True, is_superuser=True)
    return study


NAMES = dict(zip(ROLES, ("", "bob", "mallory", "dan", "carol", "alice", "root"), strict=True))


def clients() -> dict[str, Client]:
    found = {}
    for role, name in NAMES.items():
        found[role] = Client(raise_request_exception=False)
        if name:
            found[role].force_login(cast.User.objects.get(username=name))
    return found


def number_in(study: Study, path: str) -> int:
    """The primary key of what the address is about, where the study has such a thing."""
    for part, rows in (
        ("/runs/", study.runs),
        ("/responses/", study.responses),
        ("/prompts/", study.prompts),
        ("/review/", study.pairs),
        ("/links/", study.links),
        ("/invitations/", study.member_invitations),
        ("/members/", study.memberships),
        ("/gold/pairs/", study.pairs),
        ("/gold/", study.gold),
        ("aters/", study.enrolments.filter(user__username="bob")),
    ):
        if part in path:
            return rows.order_by("-pk").first().pk
    return 10**6


def filled_in(study: Study, path: str) -> str:
    given = {
        **{"slug": study.slug, "token": uuid.uuid4(), "secret": "0" * 48, "control": "pause"},
        **{"pk": number_in(study, path), "number": 1, "version": 1, "dataset": 1, "arrival": 1},
        **{"table": "headline", "ending": "csv", "kind": "html", "name": "train.jsonl", "stage": "reward"},
        **{"key": "k-0", "uidb36": "0", "provider_id": "organisation", "object_id": 1, "content_type_id": 1},
        **{"app_label": "annotation", "id": 1, "url": "nowhere"},
    }
    blanks = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")
    return "/" + blanks.sub(lambda blank: str(given[blank[1] or blank[2]]), path)


def ask(client: Client, method: str, address: str):
    """The reply; what the request changed is undone, and the browser stays logged in."""
    body = {"data": {}} if method == "post" else {}
    kept = deepcopy(client.cookies)
    with transaction.atomic():
        reply = getattr(client, method)(address, **body)
        transaction.set_rollback(True)
    client.cookies = kept
    return reply


def why_wrong(name: str, role: str, method: str, reply) -> str:
    """ "" where the reply is as it should be."""
    kind, status, reads = KIND_OF[name], reply.status_code, method in READS
    if status >= 500 and (status, name) != (503, "api:dry_run"):
        return "an error of ours"
    if kind == "public" or status == 405:  # there is no such method for anybody, which tells nothing
        return ""
    if role == "anonymous":
        return "" if status == 401 or (status == 302 and "/login/" in reply.url) else "let in"
    if kind == "own":
        return "" if status != 302 or "accounts/login" not in reply.url else "asked to log in again"
    if role == "rater":
        return (
            "" if status == (403 if name.startswith("api:") else 404) else "told a rater that there is a desk"
        )
    if kind == "researcher":
        let_in = role not in ("viewer", "editor")
        return "" if status in ((200, 422) if let_in else (403,)) else "let in, or not, by mistake"
    if kind == "desk":
        return "" if status == 200 else "not let in"
    if role == "stranger":
        return (
            "" if status == 404 or (method == "options" and status == 200) else "told a stranger of the study"
        )
    may = {
        "study": role != "viewer" or reads,
        "member": True,
        "owner": role in ("owner", "staff"),
    }[kind]
    if not may:
        return "" if status == 403 else "let do what the role does not allow"
    if status in (401, 403):
        return "not let do what the role allows"
    return "not found" if status == 404 and method == "get" and name not in NOT_MADE.split() else ""


@pytest.mark.parametrize("part", ["accounts", "api", "desk", "join", "rate", "favicon", "i18n", ""])
def test_everybody_may_do_what_they_may_and_no_more(study, part):
    people, wrong, asked = clients(), [], 0
    for name, path in ROUTES:
        if path.split("/")[0].split(".")[0] != part:
            continue
        address = filled_in(study, path)
        for role, client in people.items():
            for method in METHODS:
                reply = ask(client, method, address)
                asked += 1
                if reason := why_wrong(name, role, method, reply):
                    wrong.append(f"{role} {method} {address} ({name}): {reply.status_code}, {reason}")
    assert asked and "\n".join(wrong) == ""


def test_the_admin_is_for_staff_alone(study):
    people, wrong = clients(), []
    for name, path in ADMIN:
        address = filled_in(study, path)
        for role, client in people.items():
            for method in ("get", "post"):
                reply = ask(client, method, address)
                closed = reply.status_code in (302, 403, 404, 405)
                is_open = name in ("admin:login", "admin:jsi18n", "admin:logout")
                if reply.status_code >= 500 or (
                    role not in ("owner", "stranger", "staff") and not (closed or is_open)
                ):
                    wrong.append(f"{role} {method} {address} ({name}): {reply.status_code}")
    assert "\n".join(wrong) == ""


def test_nothing_that_was_refused_is_on_record(study):
    """The matrix undoes what it changes; so this looks once that a refused viewer leaves nothing."""
    before = Event.objects.count()
    client = clients()["viewer"]
    for name, path in ROUTES:
        if KIND_OF[name] in ("study", "owner"):
            client.post(filled_in(study, path))
    assert Event.objects.count() == before
