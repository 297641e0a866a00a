"""Prompts come in."""

import re

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from annotation import scan
from annotation.actions import events
from annotation.errors import DomainError, PromptRefused
from annotation.models import Prompt, Study, User
from annotation.text import refuse_hidden, storable

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
    refuse_hidden("The key", key)
    check_category(study, labels.get("harm_category", ""))
    check_language(labels.get("language", ""))
    messages = clean_messages(messages)
    labels["language"] = labels.get("language") or language_of(messages)
    return Prompt.objects.create(study=study, key=key, messages=messages, intent=intent, **labels)


def change_prompt(prompt: Prompt, actor: User | None = None, **changes) -> Prompt:
    """Change a prompt's labels; its key and messages, too, until something refers to them.

    Raises PromptRefused where they have been asked already, DomainError for what a prompt cannot be.
    """
    refuse_hidden("The key", changes.get("key", ""))
    check_category(prompt.study, changes.get("harm_category", ""))
    check_language(changes.get("language", ""))
    if "messages" in changes:
        changes["messages"] = clean_messages(changes["messages"])
    try:
        with transaction.atomic():
            Prompt.objects.filter(pk=prompt.pk).update(**changes)
            events.record(prompt.study, "change_prompt", actor, prompt=prompt.key, changed=sorted(changes))
    except IntegrityError as error:
        raise PromptRefused(
            "The prompt was asked already, so its key and messages stay, or its new key is another's. "
            "Add a new prompt instead."
        ) from error
    prompt.refresh_from_db()
    return prompt


def remove_prompt(prompt: Prompt, actor: User | None = None) -> None:
    """Take a prompt out that nothing refers to yet. Raises PromptRefused."""
    try:
        with transaction.atomic():
            events.record(prompt.study, "remove_prompt", actor, prompt=prompt.key)
            prompt.delete()
    except ProtectedError as error:
        raise PromptRefused("The prompt was asked already, so it stays in the study.") from error
