"""What the arms are asked."""

from django.db import models
from django.db.models import Q

from annotation.models.study import Study
from annotation.vocabulary import Intent


class Prompt(models.Model):
    """A conversation that ends with the user's turn.

    `messages` is a list of {"role": "system" | "user" | "assistant", "content": text}; the arm's system
    prompt is added when generating and never stored here. Key and messages stay as they are once a run or a
    response refers to them (trigger `prompt_stays_as_it_was_asked`).
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="prompts")
    key = models.CharField(max_length=200, help_text="The prompt's name in files, unique in the study.")
    messages = models.JSONField()
    intent = models.CharField(max_length=10, choices=Intent.choices)
    harm_category = models.CharField(max_length=64, blank=True)
    subset = models.JSONField(default=list, blank=True, help_text="Tags, as a list of words.")
    family = models.CharField(
        max_length=200, blank=True, help_text="Links the same request in several wordings."
    )
    language = models.CharField(
        max_length=20, blank=True, help_text="Of the last message, as in “en” or “pt-BR”. Empty: not known."
    )

    class Meta:
        ordering = ["study", "key"]
        constraints = [
            models.UniqueConstraint(fields=["study", "key"], name="prompt_key_once_per_study"),
            models.CheckConstraint(condition=Q(intent__in=Intent.values), name="prompt_intent_is_known"),
            models.CheckConstraint(condition=~Q(key=""), name="prompt_key_is_not_empty"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def last_message(self) -> str:
        """The user's turn that the responses answer."""
        return self.messages[-1]["content"]
