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
from django.urls import get_resolver, resolve
from django.urls.resolvers import URLPattern

from annotation.actions import (
    datasets,
    events,
    freezing,
    grading,
    joining,
    members,
    printing,
    registering,
    reporting,
    runs,
    training,
    webhooks,
)
from annotation.actions.imports import jobs
from annotation.actions.joining import Visitor
from annotation.actions.snapshots import freeze_snapshot
from annotation.datasets.recipe import Recipe
from annotation.further import Question
from annotation.models import Event, Gold, Study, Training
from annotation.reports.filters import Filters
from annotation.vocabulary import BatchState, GoldUse, QuestionKind, StudyRole, WebhookEvent
from annotation.watch.middleware import HEALTH
from tests import cast, trainings

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.once]

KINDS = {
    # anybody, logged in or not; the page itself may ask for more
    "public": """
        favicon.ico join:return join:join forgotten invitation login logout set_language account_login
        account_logout account_inactive account_signup account_reset_password account_reset_password_done
        account_reset_password_from_key account_reset_password_from_key_done account_confirm_email
        account_reauthenticate account_email_verification_sent account_confirm_login_code mfa_authenticate
        mfa_login_webauthn socialaccount_login_cancelled socialaccount_login_error socialaccount_signup
        openid_connect_login openid_connect_callback accounts/social/login/cancelled/
        accounts/social/login/error/
        accounts/social/signup/ accounts/social/connections/ api:docs api:schema
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
        rate:go-on api:claim api:judge api:heartbeat api:skip api:decline api:flag
        tokens:tokens tokens:revoke api:tokens api:token
    """,
    # researchers and members of studies, who see their own studies there; researchers alone make some
    "desk": "desk:studies desk:archived api:studies",
    # researchers, who are not everybody that works on a study
    "maker": "desk:new_study",
    # researchers who may change the study
    "fork": "desk:fork api:fork",
    # members of the study look, editors and owners send
    "study": """
        desk:study desk:set_state desk:start_run desk:dry_run desk:run desk:control_run desk:plan desk:results
        desk:refresh_results desk:results_file desk:gradings desk:grading desk:control_grading desk:review
        desk:decide desk:take_back desk:rescan desk:reviewed_pair desk:flags desk:answer_flags desk:raters
        desk:joining desk:add_consent desk:consents desk:make_link desk:link desk:revoke_link
        desk:new_return_code desk:make_account desk:account_link desk:members desk:quality desk:set_rules
        desk:set_mix desk:rater
        desk:control_rater desk:decide_appeal desk:disputes desk:gold desk:make_gold desk:retire_gold
        desk:trainings desk:new_training desk:training desk:training_log desk:make_arm desk:control_training
        desk:responses desk:response_text desk:prompt_text desk:hub desk:imports desk:import
        desk:remap_import desk:import_problems desk:control_import desk:snapshots desk:freeze_snapshot
        desk:snapshot desk:datasets desk:dataset_file desk:dataset_archive
        desk:control_dataset desk:ask_report desk:report
        api:study api:dry_run api:runs api:run api:control_run api:gradings api:grading api:grades
        api:control_grading api:review api:decide api:take_back api:rescan api:reviewed_pair api:report
        api:report_file api:datasets api:preview_dataset api:dataset api:dataset_file api:control_dataset
        api:trainings api:training api:training_arm api:control_training api:results api:results_file
        api:fairness api:flags api:progress api:plan api:agreement api:win_rates api:outcomes
        desk:setup desk:setup_questions desk:add_further desk:remove_further desk:setup_guideline
        desk:setup_prompts desk:paste_prompts desk:upload_prompts desk:take_prompts desk:setup_prompt
        desk:prompt_row desk:remove_prompt desk:setup_arms desk:setup_arm desk:remove_arm desk:ask_trial
        desk:trial desk:setup_generation desk:setup_pairing desk:setup_raters desk:setup_gold
        desk:setup_rehearsal desk:setup_opening desk:running desk:record desk:record_file desk:webhooks
        desk:webhook desk:resend desk:control_webhook desk:stop_freezing desk:snapshot_file
        api:study_state api:guidelines api:consents api:prompts api:many_prompts api:prompt api:arms api:arm
        api:responses api:response api:pairs api:pair api:gold api:retire_gold api:imports api:import
        api:import_problems api:control_import api:raters api:rater_accounts api:rater
        api:control_rater api:links api:link
        api:revoke_link api:quality api:rules api:mix api:appeals api:decide_appeal api:disputes
        api:judgments api:judgment api:webhooks api:webhook api:deliveries api:resend api:snapshots
        api:snapshot api:snapshot_file api:snapshot_archive api:dataset_archive
        api:answer_flags api:record api:pushes
    """,
    # any member of the study sends, too
    "member": "desk:leave_study desk:guideline_preview rate:rehearsal",
    # members look, owners send
    "owned": "api:members api:member",
    # owners of the study
    "owner": """
        desk:add_member desk:set_role desk:remove_member desk:withdraw_invitation desk:forget_rater
        desk:archive desk:restore desk:delete api:archive api:restore api:whole_study
    """,
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}

ROLES = ("anonymous", "rater", "stranger", "viewer", "editor", "owner", "staff")
MEMBERS = ("viewer", "editor", "owner", "staff")
METHODS = ("get", "post", "delete")
READS = ("get",)


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
PARTS = sorted({path.split("/")[0].split(".")[0] for _, path in ROUTES})
ADMIN = [(name, path) for name, path in routes() if path.startswith("admin/")]


def test_every_address_is_declared_and_none_that_is_not_there():
    assert {name for name, _ in ROUTES} == set(KIND_OF)


@pytest.fixture
def study(tmp_path, settings) -> Study:
    """A study with one of most things, an owner, an editor, a viewer and a rater; a stranger has another."""
    settings.DATASETS, settings.TRAININGS = tmp_path / "datasets", tmp_path / "trainings"
    further = Question("q1", QuestionKind.TEXT, "Anything else?")
    study = cast.a_rateable_study(pairs=3, further_questions=[further.as_json()])
    cast.a_judgment(cast.a_rater(study, cast.bob()))
    people_come(study)
    things_happen(study)
    what_workers_make(study)
    return study


def people_come(study: Study) -> None:
    members.add_member(study, cast.carol(), StudyRole.EDITOR, cast.alice())
    members.add_member(study, cast.dan(), StudyRole.VIEWER, cast.alice())
    members.invite(study, "eve@example.org", StudyRole.VIEWER)
    link, _ = joining.make_link(study, "Platform", person_parameter="PID")
    joining.join(link, Visitor("somebody"), 0)
    joining.add_consent_version(study, "You may stop.")
    cast.mallory()
    cast.person("root", is_staff=True, is_superuser=True)


def things_happen(study: Study) -> None:
    """What people ask for: a run, a dry run, a file, a gold pair, a question, an address that is told."""
    cast.an_arm(study, "third", backend="transformers_local", model="org/base")
    runs.start_run(study)
    events.record(study, "dry_run", rendered=[])
    jobs.receive(study, "some.jsonl", [b'{"prompt": "How?"}\n'], format_name="prompts")
    pair = study.pairs.filter(assignments=None).last()
    Gold.objects.create(study=study, pair=pair, use=GoldUse.PRACTICE, expected={"balance": 2}, place=1)
    told = webhooks.make_webhook(study, "https://receiver.example/told", WebhookEvent.values[:1])
    told.deliveries.create(event=WebhookEvent.values[0], body={}, next_at=study.created_at)
    grading.start_grading(study, grading.Judge("scripted", "echo"))


def what_workers_make(study: Study) -> None:
    """A snapshot with its report and a dataset, results, a training with its log, a freezing."""
    snapshot = freeze_snapshot(study)
    report = printing.report_file(snapshot, "html")
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("<!doctype html><title>Report</title>")
    dataset, _ = datasets.ask(snapshot, Recipe("trl_preference", split="none", files=("jsonl",)))
    assert datasets.make(datasets.claim(dataset.pk, "worker"))
    reporting.make(reporting.claim(reporting.ask(study, Filters()).pk, "worker"))
    done = training.start_training(study, trainings.plan_for(study, "sft", study.arms.get(name="third")))
    study.trainings.update(state=BatchState.DONE)
    training.log_file(done).parent.mkdir(parents=True, exist_ok=True)
    training.log_file(done).write_text("It is done.")
    registering.ask(Training.objects.get(pk=done.pk), "tuned")
    freezing.ask(study)


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
        ("/webhooks/", study.webhooks),
        ("/runs/", study.runs),
        ("/responses/", study.responses),
        ("/judgments/", study.judgments),
        ("/prompts/", study.prompts),
        ("/review/", study.pairs),
        ("/pairs/", study.pairs.filter(gold=None)),
        ("/links/", study.links),
        ("/invitations/", study.member_invitations),
        ("/members/", study.memberships),
        ("/gold/", study.gold),
        ("/import", study.file_imports),
        ("/grading", study.gradings),
        ("/arms/", study.arms),
        ("aters/", study.enrolments.filter(user__username="bob")),
    ):
        if part in path:
            return rows.order_by("-pk").first().pk
    return 10**6


def filled_in(study: Study, path: str) -> str:
    given = {
        **{"slug": study.slug, "token": uuid.uuid4(), "secret": "0" * 48, "control": "pause"},
        **{"pk": number_in(study, path), "number": 1, "version": 1, "dataset": 1, "arrival": 1},
        **{"table": "headline", "ending": "csv", "kind": "html", "name": "manifest.json", "stage": "reward"},
        **{"delivery": study.webhooks.first().deliveries.first().pk},
        **{"key": "k-0", "uidb36": "0", "provider_id": "organisation", "object_id": 1, "content_type_id": 1},
        **{"app_label": "annotation", "id": 1, "url": "nowhere"},
    }
    if "/further/" in path:
        given["name"] = "q1"
    blanks = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")
    return "/" + blanks.sub(lambda blank: str(given[blank[1] or blank[2]]), path)


def ask(client: Client, method: str, address: str):
    """The reply; what the request changed is undone, a log-out too."""
    body, cookies = {"data": {}} if method == "post" else {}, deepcopy(client.cookies)
    with transaction.atomic():
        reply = getattr(client, method)(address, **body)
        transaction.set_rollback(True)
    client.cookies = cookies
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
    if kind in ("desk", "maker"):
        may = role not in ("viewer", "editor") or (kind == "desk" and reads)
        return "" if (status != 403) == may and status not in (401, 404) else "not as for researchers"
    if role == "stranger":
        return "" if status == 404 else "told a stranger of the study"
    may = {
        "study": role != "viewer" or reads,
        "fork": role in ("owner", "staff"),
        "member": True,
        "owned": role in ("owner", "staff") or reads,
        "owner": role in ("owner", "staff"),
    }[kind]
    if not may:
        return "" if status == 403 else "let do what the role does not allow"
    if status in (401, 403):
        return "not let do what the role allows"
    return "not found" if status == 404 and method == "get" else ""


@pytest.mark.parametrize("part", PARTS)
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


OFFERED = {
    "viewer": {"public", "own", "desk", "member"},
    "editor": {"public", "own", "desk", "member", "study"},
    "owner": set(KINDS),
}
"""What pages may offer to send, by role."""


def offers_of(page: str, address: str) -> Iterator[tuple[str, str]]:
    """(what is sent or followed, where to) of a page's buttons and of its links to what is not for all."""
    for form in re.findall(r'<form[^>]*method="post".*?</form>', page, re.S):
        if "<button" in form:
            told = re.findall(r'(?:action|hx-post)="([^"]*)"', form) or [""]
            yield from (("sent", to if to.startswith("/") else address) for to in told)
    for to in re.findall(r'href="(/[^"?#]*)', page):
        yield "followed", to


def may_be_offered(role: str, how: str, address: str) -> bool:
    name = resolve(re.split("[?#]", address)[0]).view_name
    kind = KIND_OF.get(name, "public")
    return kind in OFFERED[role] or (how == "followed" and kind == "study")


@pytest.mark.parametrize("role", OFFERED)
def test_no_page_offers_what_its_reader_may_not_do(study, role):
    client, wrong, offered = clients()[role], set(), 0
    for name, path in ROUTES:
        if path.startswith(("desk", "tokens")):
            address = filled_in(study, path)
            reply = ask(client, "get", address)
            if reply.status_code != 200 or not hasattr(reply, "content"):
                continue
            for how, to in offers_of(reply.content.decode(), address):
                offered += 1
                if not to.startswith(("/static/", "/admin/")) and not may_be_offered(role, how, to):
                    wrong.add(f"{address} ({name}): {to} is {how}")
    assert offered > 100 and sorted(wrong) == []


def test_whoever_asks_is_told_that_it_is_alive_and_ready(study):
    """These are answered before any address is looked at (`annotation.watch.middleware`)."""
    assert set(HEALTH) == {"/healthz", "/readyz", "/metrics"}
    for client in clients().values():
        assert [client.get(address).status_code for address in ("/healthz", "/readyz")] == [200, 200]


@pytest.mark.parametrize("token", ["", "t" * 32])
def test_no_role_opens_the_metrics_from_elsewhere(study, settings, token):
    settings.METRICS_TOKEN = token
    for client in clients().values():
        assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 404
    told = {"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": f"Bearer {token}"}
    assert Client().get("/metrics", **told).status_code == (200 if token else 404)


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
