"""The demo study and its log-ins, shared by the commands `load_demo` and `demo`."""

import json
import os
import secrets
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction

from annotation.actions.arms import add_arm
from annotation.actions.enrolment import enrol
from annotation.actions.prompts import add_prompt
from annotation.actions.runs import start_run
from annotation.actions.studies import EXAMPLE_GUIDELINE, add_guideline, create_study
from annotation.models import Run, Study, User
from annotation.vocabulary import GuidelineCondition, StudyState
from models_runtime.demo import ARMS, MODEL_PATH, load_corpus

RESEARCHER = "researcher"
RATERS = ("rater1", "rater2")


def logins() -> dict[str, str]:
    """Passwords of the demo's people by name: drawn once per installation and kept in `var/`."""
    kept = settings.VAR / "demo_logins.json"
    if not kept.exists():
        drawn = {name: secrets.token_urlsafe(9) for name in (RESEARCHER, *RATERS)}
        # Created with its mode, so that the file is at no moment readable by others.
        with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(drawn, file, indent=1)
    return json.loads(kept.read_text())


def person(name: str, password: str | None, **fields) -> User:
    """The demo person; new with this password (None: cannot log in), else as they are."""
    user, created = User.objects.get_or_create(username=name, defaults=fields)
    if created:
        user.set_password(password)
        user.save(update_fields=["password"])
    return user


def login_line(user: User, password: str) -> str:
    """What to tell about a log-in: the password only if it is the one that works."""
    works = user.check_password(password)
    return f"  {user.username:<12}{password if works else '(keeps the password it had before the demo)'}"


@transaction.atomic
def demo_study(slug: str, title: str, researcher: User, model: str = "", overlap: int = 2) -> Study:
    """An open study with the demo's prompts, arms and example guideline, ready to generate."""
    study = create_study(
        slug,
        title,
        researcher,
        question="Which of the two ways to train an assistant gives safer and more helpful answers?",
        overlap=overlap,
        guideline_condition=GuidelineCondition.POLICY_GIVEN,
        state=StudyState.OPEN,
    )
    add_guideline(study, EXAMPLE_GUIDELINE.read_text(), researcher)
    for arm in ARMS:
        add_arm(
            study,
            arm["title"],
            backend="transformers_local",
            model=model or str(MODEL_PATH),
            system_prompt=arm["system_prompt"],
            sampling=arm["sampling"],
        )
    for prompt in load_corpus():
        add_prompt(
            study,
            prompt.key,
            prompt.prompt,
            prompt.intent,
            harm_category=prompt.harm_category,
            subset=list(prompt.subset),
            family=prompt.family,
        )
    return study


def enrol_all(study: Study, users: Iterable[User]) -> None:
    for user in users:
        enrol(study, user)


def run_of(study: Study) -> Run:
    """The study's newest run, started if there is none."""
    return study.runs.first() or start_run(study)
