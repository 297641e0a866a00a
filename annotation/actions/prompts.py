"""Prompts come in."""

import re
from collections.abc import Callable, Iterable, Mapping

from django.db import IntegrityError, transaction

from annotation import scan
from annotation.actions import events
from annotation.errors import DomainError, PromptRefused, PromptsRefused, StudyMoved
from annotation.models import Prompt, Study, User
from annotation.text import refuse_hidden, storable
from annotation.vocabulary import Intent

ROLES = ("system", "user", "assistant")
LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,2}")


def clean_messages(messages: object) -> list[dict]:
    """`messages` as the table keeps them; a plain text is one user turn. Raises DomainError otherwise."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if not isinstance(messages, list) or not messages:
        raise DomainError("A prompt is a text or a list of messages.")
    for message in messages:
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise DomainError("A message has a role and a content.")
        if message["role"] not in ROLES or not isinstance(message["content"], str):
            raise DomainError("A message's role is system, user or assistant; its content is text.")
        if storable(message["content"]) != message["content"]:
            raise DomainError("A message holds a NUL character or half a character, which cannot be kept.")
    if messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
        raise DomainError("The last message must be the user's, and not empty.")
    return messages


def check_category(study: Study, category: str) -> None:
    """Raises DomainError unless the category is empty or on the study's list."""
    if category and category not in study.harm_categories:
        known = ", ".join(study.harm_categories)
        raise DomainError(f"“{category}” is not a harm category of this study ({known}).")


def check_language(language: str) -> None:
    """Raises DomainError unless it is empty or looks like a language tag."""
    if language and not LANGUAGE_TAG.fullmatch(language):
        raise DomainError(f"“{language}” is no language tag. Write it as “en” or “pt-BR”.")


def language_of(messages: list[dict]) -> str:
    """The language of the last message, "" where it cannot be told."""
    return scan.language_of(messages[-1]["content"])


def add_prompt(study: Study, key: str, messages: object, intent: str, **labels) -> Prompt:
    """One prompt. `labels`: harm_category, subset, family, language (found out where it is not given).

    Raises DomainError on malformed ones.
    """
    _refuse_hidden({"key": key, **labels})
    check_category(study, labels.get("harm_category", ""))
    check_language(labels.get("language", ""))
    messages = clean_messages(messages)
    labels["language"] = labels.get("language") or language_of(messages)
    return Prompt.objects.create(study=study, key=key, messages=messages, intent=intent, **labels)


@transaction.atomic
def add_prompts(study: Study, given: Iterable[Mapping], actor: User | None = None) -> list[Prompt]:
    """All of these prompts, as `add_prompt` takes them, or none. Raises PromptsRefused."""
    added = []
    for place, prompt in enumerate(given):
        try:
            added.append(add_prompt(study, **prompt))
        except DomainError as error:
            raise PromptsRefused(place, str(error)) from error
    if added:
        events.record(study, "add_prompts", actor, prompts=len(added), first=added[0].key)
    return added


def is_asked(prompt: Prompt) -> bool:
    """Whether a run or a response refers to the prompt, so that key and wording stay."""
    return prompt.responses.exists() or prompt.items.exists()


@transaction.atomic
def change_prompt(
    prompt: Prompt, actor: User | None = None, as_read: Callable[[Prompt], bool] | None = None, **changes
) -> bool:
    """Set these fields of the prompt; False when nothing changed. Raises DomainError for what cannot be.

    Labels may be changed at any time, and reports then follow them; the wording until somebody was asked.
    Raises StudyMoved where `as_read` denies that the locked row is as the person read it.
    """
    row = Prompt.objects.select_for_update(no_key=True).filter(pk=prompt.pk).first()
    if row is None:
        raise PromptRefused("Somebody took this prompt out of the study meanwhile.")
    if as_read and not as_read(row):
        raise StudyMoved("Somebody has changed the prompt meanwhile. Read it again, then change it.")
    changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not changed:
        return False
    _refuse_labels(prompt.study, changed)
    if "messages" in changed:
        changed["messages"] = clean_messages(changed["messages"])
        if "language" not in changed:
            changed["language"] = language_of(changed["messages"])
    try:
        with transaction.atomic():
            Prompt.objects.filter(pk=prompt.pk).update(**changed)
    except IntegrityError as error:
        raise PromptRefused(
            "Models have answered this prompt, so its wording stays; or another has its new key. Add another "
            "prompt."
        ) from error
    for name, value in changed.items():
        setattr(prompt, name, value)
    events.record(prompt.study, "change_prompt", actor, key=prompt.key, changed=sorted(changed))
    return True


def _refuse_labels(study: Study, changed: dict) -> None:
    check_category(study, changed.get("harm_category", ""))
    check_language(changed.get("language", ""))
    if changed.get("intent", Intent.BENIGN) not in Intent.values:
        raise DomainError(f"The intent is one of: {', '.join(Intent.values)}.")
    _refuse_hidden(changed)


def _refuse_hidden(labels: dict) -> None:
    for name in ("family", "harm_category", "key"):
        refuse_hidden(f"The {name}", labels.get(name, ""))
    for tag in labels.get("subset", ()):
        refuse_hidden("A tag", tag)


@transaction.atomic
def remove_prompt(prompt: Prompt, actor: User | None = None) -> None:
    """Take a prompt that nobody was asked out of the study. Raises PromptRefused otherwise."""
    Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)
    if is_asked(prompt):
        raise PromptRefused("Models have answered this prompt, so it stays in the study.")
    events.record(prompt.study, "remove_prompt", actor, key=prompt.key)
    Prompt.objects.filter(pk=prompt.pk).delete()
