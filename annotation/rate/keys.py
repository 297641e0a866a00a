"""The keys of the rating page: which there are, and which a rater chose instead."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation.models import RaterSettings

DEFAULTS = {
    "prefer_a": "a",
    "prefer_b": "b",
    "equal": "e",
    "next": "j",
    "previous": "k",
    "block": "q",
    "undo": "u",
    "skip": "s",
    "decline": "d",
    "flag": "f",
    "hide": "h",
    "reveal": "r",
    "guideline": "g",
    "note": "n",
    "help": "?",
}
"""Digits answer the marked question; Backspace, Space and arrows stay the browser's."""

WORDS = {
    "prefer_a": _("Better balance: A (with Shift: A much)"),
    "prefer_b": _("Better balance: B (with Shift: B much)"),
    "equal": _("About equal (with Shift: both are bad)"),
    "next": _("Next question"),
    "previous": _("Previous question"),
    "block": _("On to B's questions, the shared ones, A's again"),
    "undo": _("Go back to the answers sent last"),
    "skip": _("Skip this pair"),
    "decline": _("Decline this pair for its content"),
    "flag": _("Report a broken pair"),
    "hide": _("Hide everything, show it again"),
    "reveal": _("Reveal what is blurred"),
    "guideline": _("Guideline"),
    "note": _("Write a note"),
    "help": _("The keys"),
}


@dataclass(frozen=True)
class Key:
    """One action with the key it has now; "" is none."""

    name: str
    words: str | Promise
    key: str

    @property
    def shown(self) -> str:
        return self.key.upper()


def key_map(chosen: RaterSettings) -> dict[str, str]:
    """The key of each action; "" is none."""
    return {name: chosen.keys.get(name, default) for name, default in DEFAULTS.items()}


def key_list(chosen: RaterSettings) -> list[Key]:
    """The actions in the order of the sheet."""
    return [Key(name, WORDS[name], key) for name, key in key_map(chosen).items()]
