"""Which Evenhand this is."""

import tomllib
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


@cache
def evenhand_version() -> str:
    """As the project's own file says; snapshots, results and reports name it."""
    with PROJECT.open("rb") as file:
        return tomllib.load(file)["project"]["version"]
