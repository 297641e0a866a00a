"""``python -m tests.package_audit``: whether a pinned package has a known hole, as the package index tells.

It asks about the packages that the requirements name, and about nothing else. Where the index does not
answer, or does not know, it says so and passes: nobody should need a network to check a change.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ("requirements.txt", "requirements-train.txt", "requirements-dev.txt")
LIMIT = 120  # seconds
ACCEPTED: dict[str, str] = {}
"""Holes that do not concern us, by their id, each with the reason."""


@dataclass(frozen=True)
class Audit:
    """`holes` as (package, version, id, versions that mend it)."""

    asked: int
    unknown: int
    holes: tuple[tuple[str, str, str, str], ...]

    def __str__(self) -> str:
        lines = [
            f"{name} {version}: {hole}, mended in {mended or 'no version yet'}"
            for name, version, hole, mended in self.holes
        ]
        known = self.asked - self.unknown
        lines.append(
            f"Packages with known holes: {len(self.holes)} found, {known} of {self.asked} asked about."
        )
        if self.unknown:
            lines.append("The package index did not tell about the others. Try again where it does.")
        return "\n".join(lines)


def pinned(files: tuple[str, ...] = FILES) -> list[str]:
    """NAME==VERSION of every line, without extras and without the lines that name other files."""
    lines = [line.strip() for file in files for line in (ROOT / file).read_text().splitlines()]
    found = [line for line in lines if line and line[0] not in "#-"]
    return sorted({re.sub(r"\[.*?\]", "", line) for line in found})


def read(told: str, asked: int) -> Audit:
    """What pip-audit printed as JSON."""
    try:
        packages = json.loads(told)["dependencies"]
    except (ValueError, KeyError, TypeError):  # it ended with a message: the index did not answer
        return Audit(asked, asked, ())
    holes = [
        (one["name"], one["version"], hole["id"], ", ".join(hole["fix_versions"]))
        for one in packages
        for hole in one.get("vulns", ())
        if hole["id"] not in ACCEPTED
    ]
    return Audit(asked, asked - sum("vulns" in one for one in packages), tuple(holes))


def audit() -> Audit:
    packages = pinned()
    command = [sys.executable, "-m", "pip_audit", "--requirement", "/dev/stdin", "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        ended = subprocess.run(
            command, input="\n".join(packages), capture_output=True, text=True, timeout=LIMIT, cwd=ROOT
        )
    except subprocess.TimeoutExpired:
        return Audit(len(packages), len(packages), ())
    return read(ended.stdout, len(packages))


def main() -> int:
    found = audit()
    print(found)
    return int(bool(found.holes))


if __name__ == "__main__":
    sys.exit(main())
