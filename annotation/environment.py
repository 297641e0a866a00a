"""The environment's variables as values. What cannot be read is noted with an id and a remedy.

`annotation.settings` reads them all and then calls `refuse_if_wrong`, so that whoever starts a process is
told of everything at once. Secrets may lie in a file: NAME_FILE names it, as container engines do.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured

problems: list[Error] = []

YES, NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}
LONGEST_SECRET = 10_000
RATE = re.compile(r"[1-9][0-9]{0,8}/(sec|min|hour|day)")


def wrong(message: str, remedy: str, number: int) -> None:
    """Note a problem; its id is annotation.E0NN."""
    problems.append(Error(message, hint=remedy, id=f"annotation.E{number:03}"))


def text(name: str, default: str = "") -> str:
    """A variable as text without surrounding space; empty counts as not given."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool = False) -> bool:
    """A variable as yes or no."""
    given = text(name, "1" if default else "0").lower()
    if given not in YES | NO:
        wrong(f"{name} is “{given}”.", "Write 1 or 0.", 10)
    return given in YES


def words(name: str, default: str = "") -> list[str]:
    """A variable as a list, separated by commas."""
    return [word for part in text(name, default).split(",") if (word := part.strip())]


def number(name: str, default: int, least: int, most: int) -> int:
    """A variable as a whole number within bounds."""
    given = text(name, str(default))
    if given.isascii() and given.isdigit() and len(given) < 20 and least <= int(given) <= most:
        return int(given)
    remedy = f"Write a whole number from {least} to {most}, or leave it out ({default})."
    wrong(f"{name} is “{given}”.", remedy, 11)
    return default


def rate(name: str, default: str) -> str | None:
    """A variable that is so many in a time, as 100/min; None where it is `none`, which is without limit."""
    given = text(name, default).lower()
    if given == "none":
        return None
    if RATE.fullmatch(given):
        return given
    wrong(f"{name} is “{given}”.", f"Write a rate as {default}, in sec, min, hour or day; or none.", 15)
    return default


def one_of(name: str, choices: Sequence[str]) -> str:
    """A variable that is one of these words; the first where nothing is given."""
    given = text(name, choices[0])
    if given.lower() in choices:
        return given.lower()
    wrong(f"{name} is “{given}”.", f"Write one of: {', '.join(choices)}.", 12)
    return choices[0]


def secret(name: str, default: str = "") -> str:
    """NAME, or what the file holds that NAME_FILE names; both at once contradict each other."""
    given, file = text(name), text(f"{name}_FILE")
    if given and file:
        wrong(f"{name} and {name}_FILE are both set.", "Leave one of them out.", 13)
    return given or (_read(name, Path(file)) if file else "") or default


def _read(name: str, file: Path) -> str:
    remedy = f"Name a file in {name}_FILE that this user may read and that holds the secret alone."
    try:
        with file.open() as opened:
            found = opened.read(LONGEST_SECRET).strip()
    except (OSError, ValueError) as error:
        wrong(f"{name}_FILE cannot be read: {getattr(error, 'strerror', None) or error}.", remedy, 14)
        return ""
    if not found:
        wrong(f"The file of {name}_FILE is empty.", remedy, 14)
    return found


def refuse_if_wrong() -> None:
    """Raises ImproperlyConfigured, which tells everything that is wrong."""
    if problems:
        found, problems[:] = list(problems), []  # settings that failed may be imported again
        told = "\n".join(f"  {problem.msg} {problem.hint} ({problem.id})" for problem in found)
        raise ImproperlyConfigured(f"variables of the environment cannot be used.\n{told}")
