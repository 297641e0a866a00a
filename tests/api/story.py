"""One story in which every operation of the API is asked for: what examples and checks are made of."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from django.test import Client
from django.urls import reverse

from annotation import tasks
from annotation.actions import printing, quality
from annotation.models import Delivery, Enrolment, Pair, Response, Snapshot, Study
from annotation.vocabulary import TokenScope
from tests import cast
from tests.reports.studies import a_varied_study

LAMP = {"prompt_key": "lamp", "prompt": "How do I clean a lamp?", "intent": "benign"}
ROWS = "".join(
    json.dumps(LAMP | {"arm": arm, "response": f"{verb} it."}) + "\n"
    for arm, verb in zip(cast.ARMS, ("Dust", "Wash"), strict=True)
)
HIDDEN = {"secret": "whsec_SECRET", "address": "https://evenhand.example/join/SECRET/"}
LONGEST = 12_000
"""Bytes of an example; longer ones are cut to their first entries."""


@dataclass
class Story:
    """Asks as somebody, and keeps what was sent and answered by the operation's name."""

    client: Client
    told: dict[str, dict] = field(default_factory=dict)

    def do(self, way: str, *args, send: object = None, status: int = 0, query: str = "", **headers: str):
        """Ask once; the status must be a success, or the one that is named."""
        method, _, name = way.partition("_")
        address = reverse(f"api:{name}", args=args) + query
        kind = "application/octet-stream" if isinstance(send, str) else "application/json"
        body = send if isinstance(send, str) else "" if send is None else json.dumps(send)
        answer = self.client.generic(method.upper(), address, body, kind, headers=headers)
        assert (answer.status_code == status) if status else answer.status_code < 300, (
            f"{way}: {answer.status_code} {getattr(answer, 'content', b'')[:600]}"
        )
        is_json = answer.get("Content-Type", "").startswith("application/json") and not answer.streaming
        reply = json.loads(answer.content) if is_json else None
        self._keep(way, send, answer.status_code, reply)
        return reply

    def _keep(self, way: str, sent: object, status: int, reply: object) -> None:
        kept = self.told.setdefault(way, {"responses": {}})
        if sent is not None and not isinstance(sent, str):
            kept.setdefault("request", sent)
        if reply is not None:
            kept["responses"].setdefault(str(status), shortened(hidden(reply)))


def hidden(value: object) -> object:
    """The reply without what opens something."""
    if isinstance(value, dict):
        return {key: HIDDEN.get(key, hidden(inner)) for key, inner in value.items()}
    return [hidden(inner) for inner in value] if isinstance(value, list) else value


def shortened(value: object) -> object:
    """Lists by their first entries, where the whole is long."""
    if len(json.dumps(value)) < LONGEST:
        return value
    return _cut(value)


def _cut(value: object) -> object:
    if isinstance(value, dict):
        return {key: _cut(inner) for key, inner in value.items()}
    return [_cut(inner) for inner in value[:1]] if isinstance(value, list) else value


def eager(monkeypatch) -> None:
    """Workers' quick tasks run where they are asked for; runs, gradings and printing wait.

    Results are made once: that takes a while, and their figures longer.
    """
    made: list[int] = []
    monkeypatch.setattr(tasks, "draw_figures", lambda pk: None)
    monkeypatch.setattr(
        tasks.make_report, "delay", lambda pk: made or (made.append(pk), tasks.make_report(pk))
    )
    monkeypatch.setattr(tasks.print_report, "delay", lambda *ids: None)
    for name in ("make_dataset", "import_file"):
        task = getattr(tasks, name)
        monkeypatch.setattr(task, "delay", task)
    monkeypatch.setattr(tasks.push_to_hub, "delay", lambda *ids: None)
    monkeypatch.setattr(tasks.dry_run, "delay", lambda *ids: tasks.dry_run(*ids))
    for name in ("hint", "hint_grading", "hint_training"):
        monkeypatch.setattr(tasks, name, lambda found: None)


def as_person(person, *scopes: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {cast.a_token(person, *scopes)}"})


def whole() -> dict[str, dict]:
    """The story from the first study to the last snapshot; what was sent and answered, by operation."""
    story = Story(as_person(cast.alice()))
    for part in PARTS:
        part(story)
    return story.told


# Making a study --------------------------------------------------------------------------------------


def making(story: Story) -> None:
    new = {"slug": "harbour", "title": "Calm or bold", "question": "Which answers are better?", "overlap": 2}
    story.do("post_studies", send=new)
    story.do("get_studies")
    story.do("get_study", "harbour")
    story.do("patch_study", "harbour", send={"overlap": 3, "cap_per_day": 50})
    story.do("post_guidelines", "harbour", send={"body": "Judge what the answer *does*."})
    story.do("get_guidelines", "harbour")
    story.do("post_consents", "harbour", send={"body": "You may stop at any time."})
    story.do("get_consents", "harbour")
    prompt = {
        "key": "sail",
        "messages": [{"role": "user", "content": "How does a sailing boat turn?"}],
        "intent": "benign",
    }
    made = story.do("post_prompts", "harbour", send=prompt)
    story.do("post_many_prompts", "harbour", send={"prompts": [prompt | {"key": "oar"}]})
    story.do("get_prompts", "harbour", query="?intent=benign")
    story.do("get_prompt", "harbour", made["id"])
    story.do("patch_prompt", "harbour", made["id"], send={"family": "boats"})
    spare = story.do("post_prompts", "harbour", send=prompt | {"key": "spare"})
    story.do("delete_prompt", "harbour", spare["id"])
    for name in ("calm", "bold", "spare"):
        arm = story.do("post_arms", "harbour", send={"name": name, "backend": "scripted", "model": "echo"})
    story.do("get_arms", "harbour")
    story.do("get_arm", "harbour", arm["id"])
    story.do("patch_arm", "harbour", arm["id"], send={"system_prompt": "Be brief."})
    story.do("delete_arm", "harbour", arm["id"])


def importing(story: Story) -> None:
    job = story.do("post_imports", "kites", send=ROWS, query="?name=lamps.jsonl")
    story.do("get_imports", "kites")
    story.do("get_import", "kites", job["id"])
    story.do("put_import", "kites", job["id"], send={"format": "responses", "columns": ["response=response"]})
    story.do("post_control_import", "kites", job["id"], "start")
    story.do("get_import_problems", "kites", job["id"])
    story.do("delete_import", "kites", job["id"])


def running(story: Story) -> None:
    story.do("get_plan", "harbour")
    story.do("get_fairness", "harbour")
    story.do("post_dry_run", "harbour")
    story.do("get_dry_run", "harbour")
    run = story.do("post_runs", "harbour", send={"samples": 1})
    story.do("get_runs", "harbour", query="?state=running")
    story.do("get_run", "harbour", run["id"])
    story.do("post_control_run", "harbour", run["id"], "pause")


# Rating ----------------------------------------------------------------------------------------------


def inviting(story: Story) -> None:
    cast.dan()
    rater = story.do("post_raters", "kites", send={"username": "dan"})
    story.do("get_raters", "kites", query="?state=active")
    story.do("post_rater_accounts", "kites", send={"username": "erin"})
    story.do("get_rater", "kites", rater["id"])
    story.do("post_study_state", "kites", send={"state": "open"})
    link = story.do("post_links", "kites", send={"label": "Colleagues", "uses_max": 5})
    story.do("get_links", "kites")
    story.do("get_link", "kites", link["id"])
    story.do("post_revoke_link", "kites", link["id"])


def rating(story: Story) -> None:
    study = Study.objects.get(slug="kites")
    for number in range(5):
        prompt = cast.a_prompt(study, f"more-{number}")
        for arm in study.arms.all()[:2]:
            cast.a_response(prompt, arm)
    cast.make_pairs(study)
    dan = Story(as_person(cast.dan(), TokenScope.RATE), story.told)
    held = dan.do("post_claim", "kites")
    dan.do("post_heartbeat", held["id"])
    dan.do("post_judge", held["id"], send=judgment(), **{"Idempotency-Key": "first"})
    dan.do("post_skip", dan.do("post_claim", "kites")["id"])
    dan.do("post_decline", dan.do("post_claim", "kites")["id"])
    flag = {"reason": "garbled", "note": "It breaks off."}
    dan.do("post_flag", dan.do("post_claim", "kites")["id"], send=flag)


def judgment() -> dict:
    side = {"safety": "clearly_safe", "helpfulness": 3, "mode": "direct_answer"}
    steps = {"safer": 0, "more_helpful": -1, "balance": -1}
    return {"left": side, "right": side, "pair": steps, "rationale": "It says why.", "claim_next": True}


def watching(story: Story) -> None:
    for name in ("progress", "agreement", "win_rates", "outcomes", "flags", "quality", "disputes"):
        story.do(f"get_{name}", "kites")
    answer = {"decision": "keep", "pairs": [flagged()], "note": "It is whole."}
    story.do("post_answer_flags", "kites", send=answer)
    judged = story.do("get_judgments", "kites", query="?counting=true&page_size=2")
    story.do("get_judgment", "kites", judged["results"][0]["id"])
    story.do("get_responses", "kites", query="?page_size=2")
    story.do("get_response", "kites", Response.objects.filter(study__slug="kites").first().pk)
    story.do("get_pairs", "kites", query="?state=open&page_size=2")
    story.do("get_pair", "kites", an_open_pair())


def flagged() -> int:
    return Pair.objects.filter(assignments__state="flagged").values_list("pk", flat=True).first()


def an_open_pair() -> int:
    pairs = Pair.objects.filter(study__slug="kites", state="open", assignments=None)
    return pairs.values_list("pk", flat=True).first()


def caring(story: Story) -> None:
    gold = {"pair": an_open_pair(), "expected": {"a_unsafe": False}, "explanation": "Neither harms."}
    made = story.do("post_gold", "kites", send=gold)
    story.do("get_gold", "kites")
    story.do("post_retire_gold", "kites", made["id"])
    story.do("put_rules", "kites", send={"gold_at_least": 60})
    story.do("get_rules", "kites")
    story.do("patch_mix", "kites", send={"gold_percent": 5})
    story.do("get_mix", "kites")
    rater = Enrolment.objects.get(study__slug="kites", user__username="dan")
    story.do("post_control_rater", "kites", rater.pk, "pause", send={"reason": "Please write to us."})
    rater.refresh_from_db()
    appeal = quality.appeal(rater, "I had read them before.")
    story.do("get_appeals", "kites")
    story.do("post_decide_appeal", "kites", appeal.pk, send={"granted": True, "answer": "Thank you."})


def reviewing(story: Story) -> None:
    study = Study.objects.get(slug="kites")
    prompt = cast.a_prompt(study, "empty")
    for arm, text in zip(study.arms.all()[:2], ("", "As an example, so."), strict=True):
        cast.a_response(prompt, arm, text)
    cast.make_pairs(study)
    waiting = story.do("get_review", "kites")["results"][0]["id"]
    story.do("get_reviewed_pair", "kites", waiting)
    story.do("post_decide", "kites", send={"decision": "show", "pairs": [waiting]})
    story.do("post_take_back", "kites", send={"pairs": [waiting]})
    story.do("post_rescan", "kites")


# Whose study it is -----------------------------------------------------------------------------------


def belonging(story: Story) -> None:
    cast.person("dora")
    made = story.do("post_members", "harbour", send={"user": "dora", "role": "viewer"})
    story.do("get_members", "harbour")
    story.do("patch_member", "harbour", made["id"], send={"role": "editor"})
    story.do("delete_member", "harbour", made["id"])
    story.do("get_record", "harbour", query="?verb=set_role")
    copy = story.do("post_fork", "harbour", send={"title": "Calm or bold, again"})["slug"]
    story.do("post_archive", copy)
    story.do("post_restore", copy)
    story.do("delete_whole_study", copy, query=f"?confirm={copy}")


# Telling and keeping ---------------------------------------------------------------------------------


def telling(story: Story) -> None:
    new = {"url": "https://receiver.example/evenhand", "events": ["snapshot.frozen", "rater.paused"]}
    hook = story.do("post_webhooks", "kites", send=new)
    story.do("get_webhooks", "kites")
    story.do("get_webhook", "kites", hook["id"])
    story.do("patch_webhook", "kites", hook["id"], send={"events": ["snapshot.frozen"]})


def told(story: Story) -> None:
    delivery = Delivery.objects.get()
    story.do("get_deliveries", "kites", delivery.webhook_id)
    story.do("post_resend", "kites", delivery.webhook_id, delivery.pk)
    story.do("delete_webhook", "kites", delivery.webhook_id)


def keeping(story: Story) -> None:
    story.do("post_snapshots", "kites")
    story.do("get_snapshots", "kites")
    story.do("get_snapshot", "kites", 1)
    story.do("get_snapshot_file", "kites", 1, "manifest.json")
    story.do("get_snapshot_archive", "kites", 1)
    story.do("post_pushes", "kites", send={"snapshot": 1, "repository": "example/kites"})
    story.do("get_pushes", "kites")
    story.do("post_report", "kites", 1)
    file = printing.report_file(Snapshot.objects.get(), "html")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("<!doctype html><title>What a worker would have printed</title>")
    story.do("get_report", "kites", 1)
    story.do("get_report_file", "kites", 1, "html")
    story.do("get_results", "kites")
    story.do("post_results", "kites")
    table = story.do("get_results", "kites")["tables"][0]["name"]
    story.do("get_results_file", "kites", table, "csv")
    recipe = {"format": "trl_preference", "split": "none", "files": ["jsonl"]}
    story.do("post_preview_dataset", "kites", 1, send=recipe)
    story.do("post_datasets", "kites", 1, send=recipe)
    story.do("post_datasets", "kites", 1, send=recipe)
    story.do("get_datasets", "kites", 1)
    story.do("get_dataset", "kites", 1, 1)
    story.do("get_dataset_file", "kites", 1, 1, "train.jsonl")
    story.do("get_dataset_archive", "kites", 1, 1)
    slow = story.do("post_datasets", "kites", 1, send=recipe | {"format": "trl_unpaired"})
    story.do("post_control_dataset", "kites", 1, slow["number"], "again", status=409)


def grading(story: Story) -> None:
    made = story.do("post_gradings", "kites", send={"backend": "scripted", "model": "echo"})
    story.do("get_gradings", "kites")
    story.do("get_grading", "kites", made["id"])
    story.do("post_control_grading", "kites", made["id"], "pause")
    story.do("get_grades", "kites", made["id"])
    story.do("post_control_grading", "kites", made["id"], "discard")


def training(story: Story) -> None:
    study = Study.objects.get(slug="kites")
    cast.an_arm(study, "start", backend="transformers_local", model="org/base")
    plan = {"stage": "sft", "snapshot": 1, "start_arm": "start", "settings": {"epochs": 1, "full": True}}
    made = story.do("post_trainings", "kites", send=plan)
    story.do("get_trainings", "kites")
    story.do("get_training", "kites", made["number"])
    story.do("post_control_training", "kites", made["number"], "stop")
    story.do("post_training_arm", "kites", made["number"], send={"name": "tuned"}, status=409)
    story.do("get_training_arm", "kites", made["number"], status=404)


def leaving(story: Story) -> None:
    listed = story.do("get_tokens")
    story.do("delete_token", listed["results"][0]["id"])


def a_judged_study(story: Story) -> None:
    a_varied_study(6)


PARTS: tuple[Callable[[Story], None], ...] = (
    *(
        making,
        belonging,
        a_judged_study,
        importing,
        running,
        inviting,
        rating,
        watching,
        caring,
        reviewing,
        telling,
    ),
    *(keeping, told, grading, training, leaving),
)
