"""Prompts come in."""

from annotation.errors import DomainError
from annotation.models import Prompt, Study
from annotation.text import refuse_hidden, storable

ROLES = ("system", "user", "assistant")


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


def add_prompt(study: Study, key: str, messages: object, intent: str, **labels) -> Prompt:
    """One prompt. `labels`: harm_category, subset, family. Raises DomainError on malformed ones."""
    refuse_hidden("The key", key)
    check_category(study, labels.get("harm_category", ""))
    return Prompt.objects.create(
        study=study, key=key, messages=clean_messages(messages), intent=intent, **labels
    )
