"""What a snapshot's manifest must look like before anything is read by it: folders come from anywhere."""

import re
from collections.abc import Callable, Iterator, Mapping

Check = Callable[[object], bool]

SHA256 = re.compile(r"[0-9a-f]{64}")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
"""Of a file in the folder itself: no other folder can be named by it."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return _is_number(value) and value >= 0


def _is_truth(value: object) -> bool:
    return isinstance(value, bool)


def _is_mapping(value: object) -> bool:
    return isinstance(value, dict)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and SHA256.fullmatch(value) is not None


PARTS: dict[str, type] = {
    "study": dict,
    "arms": list,
    "guidelines": list,
    "files": dict,
    "counts": dict,
    "versions": dict,
}
STUDY: dict[str, Check] = {
    **dict.fromkeys(("slug", "title", "question", "state", "guideline_condition"), _is_text),
    **dict.fromkeys(("overlap", "seed"), _is_number),
    **dict.fromkeys(("allow_tie", "matched_sampling"), _is_truth),
}
ARM: dict[str, Check] = {
    **dict.fromkeys(("name", "backend", "model", "revision", "adapter", "system_prompt"), _is_text),
    "sampling": _is_mapping,
}
COUNTS: dict[str, Check] = dict.fromkeys(
    ("responses", "pairs", "judgments_counted", "judgments_superseded", "judgments_surplus"), _is_count
)
GRADING: dict[str, Check] = {
    **dict.fromkeys(("state", "model", "rubric_version", "keep"), _is_text),
    **dict.fromkeys(("grading_id", "repeats"), _is_count),
}


def oddities(manifest: Mapping) -> Iterator[str]:
    """What is not as a snapshot's manifest has it, each in a few words; nothing where all is."""
    for name, kind in PARTS.items():
        if not isinstance(manifest.get(name), kind):
            yield f"“{name}” is missing or of another kind"
            return
    top = {"number": _is_count, "created_at": _is_text, "consistency": _is_text}
    versions = dict.fromkeys(("evenhand", "python", "django", "pyarrow"), _is_text)
    yield from _odd("the manifest", manifest, top)
    yield from _odd("“study”", manifest["study"], STUDY)
    yield from _odd("“counts”", manifest["counts"], COUNTS)
    yield from _odd("“versions”", manifest["versions"], versions)
    yield from _odd_ones("arms", manifest["arms"], ARM)
    yield from _odd_ones("guidelines", manifest["guidelines"], {"version": _is_count, "body": _is_text})
    yield from _odd_ones("gradings", manifest.get("gradings", []), GRADING)
    yield from _odd_files(manifest["files"])


def _odd(where: str, told: object, checks: Mapping[str, Check]) -> Iterator[str]:
    if not isinstance(told, dict):
        yield f"{where} holds no names"
        return
    for name, is_right in checks.items():
        if not is_right(told.get(name)):
            yield f"“{name}” in {where} is missing or of another kind"


def _odd_ones(name: str, told: object, checks: Mapping[str, Check]) -> Iterator[str]:
    if not isinstance(told, list):
        yield f"“{name}” is no list"
        return
    for one in told:
        yield from _odd(f"“{name}”", one, checks)


def _odd_files(files: Mapping) -> Iterator[str]:
    for name, told in files.items():
        if not FILE_NAME.fullmatch(name):
            yield f"“files” names {name[:100]!r}, which is no file of the folder"
        yield from _odd(f"“files” at {name[:100]!r}", told, {"bytes": _is_count, "sha256": _is_digest})
