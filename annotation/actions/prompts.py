"""Prompts come in."""

import re

from annotation import scan
from annotation.errors import DomainError
from annotation.models import Prompt, Study
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
