"""The house stands as docs/architecture.md says: floors, late imports, and a tree that is true."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

WIRING = {"settings", "environment", "urls", "celery", "file_queue", "wsgi", "asgi", "apps", "checks"}
FLOORS = [
    {"vocabulary", "errors", "languages", "version"},
    {
        "answers",
        "downloads",
        "problems",
        "further",
        "text",
        "strict_json",
        "draws",
        "chain",
        "counters",
        "requests",
        "scan",
        "stats",
        "models_runtime",
    },
    {"models"},
    {"access", "reports", "export"},
    {"printing", "datasets"},
    {"actions"},
    {"tasks"},
    {"rate", "desk", "api", "watch", "accounts", "admin", "management", "templatetags"},
]
TABLES = [
    "people",
    "token",
    "study",
    "webhook",
    "membership",
    "prompt",
    "model_settings",
    "arm",
    "numbered",
    "claimed",
    "generation",
    "pair",
]
TABLES += [
    "review",
    "gold",
    "enrolment",
    "quality",
    "joining",
    "assignment",
    "flag",
    "draft",
    "judgment",
    "adjudication",
]
TABLES += ["grade", "snapshot", "report", "dataset", "file_import", "training", "pulse", "event"]
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}
FIRST_PARTY = {"annotation", "models_runtime"}
HEAVY = {"torch", "transformers", "peft", "datasets", "trl"}
WRITES = {"save", "delete", "create", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}


@dataclass(frozen=True)
class Import:
    """One imported module: where it stands, its full name, and whether it waits inside a function."""

    place: str
    module: str
    late: bool
    only_for_types: bool

    @property
    def room(self) -> str:
        """The part of the house it belongs to: `models` for annotation.models.pair; else the package."""
        parts = self.module.split(".")
        return parts[1] if parts[0] == "annotation" and len(parts) > 1 else parts[0]

    @property
    def first_party(self) -> bool:
        return self.module.split(".")[0] in FIRST_PARTY


def sources(*folders: str) -> list[Path]:
    """The Python files of these folders or files; migrations are history and keep to no floor."""
    found = [path for folder in folders for path in [ROOT / folder, *(ROOT / folder).rglob("*.py")]]
    return sorted(path for path in found if path.suffix == ".py" and "migrations" not in path.parts)


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    return tuple(_walk(ast.parse(path.read_text()), path, late=False, only_for_types=False))


def _walk(node: ast.AST, path: Path, late: bool, only_for_types: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            place = f"{path.relative_to(ROOT)}:{child.lineno}"
            for module in _modules(child, path):
                yield Import(place, module, late, only_for_types)
        inside = late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing = only_for_types or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
        yield from _walk(child, path, inside, typing)


def _modules(node: ast.Import | ast.ImportFrom, path: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        package = list(path.relative_to(ROOT).parent.parts)
        base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
    # `from annotation import text` names a room; `from annotation.text import to_html` names it already.
    return [f"{base}.{alias.name}" for alias in node.names] if base == "annotation" else [base]


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "annotation" and len(parts) > 1 else parts[0]


def rooms() -> set[str]:
    """Every module and package at the top of `annotation`."""
    return {room_of(path) for path in sources("annotation")} - {"__init__"}


def test_every_room_has_a_floor():
    assert rooms() <= WIRING | set(FLOOR_OF)


def test_a_module_imports_from_lower_floors_only():
    too_high = [
        f"{found.place} imports {found.module}"
        for path in sources("annotation", "models_runtime")
        if (room := room_of(path)) in FLOOR_OF
        for found in imports_of(path)
        if found.first_party and found.room != room
        if FLOOR_OF.get(found.room, len(FLOORS)) >= FLOOR_OF[room]
    ]
    assert too_high == []


def test_tables_import_in_their_order():
    wrong = [
        f"{found.place} imports {found.module}"
        for path in sources("annotation/models")
        if path.stem in TABLES
        for found in imports_of(path)
        if (table := found.module.removeprefix("annotation.models.")) in TABLES
        if TABLES.index(table) >= TABLES.index(path.stem)
    ]
    assert wrong == []


def test_every_table_has_its_place_in_the_order():
    assert {path.stem for path in sources("annotation/models")} <= {
        *TABLES,
        "__init__",
        "checks",
        "functions",
        "triggers",
    }


def test_nothing_of_ours_is_imported_inside_a_function():
    found = [
        imported.place
        for path in sources("annotation", "models_runtime")
        for imported in imports_of(path)
        if imported.late and imported.first_party
    ]
    assert found == []


def test_torch_and_transformers_load_late():
    found = [
        imported.place
        for path in sources("annotation", "models_runtime")
        for imported in imports_of(path)
        if imported.room in HEAVY and not imported.first_party
        if not imported.late and not imported.only_for_types
    ]
    assert found == []


def test_statistics_and_runtime_know_neither_django_nor_celery():
    found = [
        imported.place
        for path in sources("annotation/stats", "models_runtime")
        for imported in imports_of(path)
        if imported.room in {"django", "celery"}
    ]
    assert found == []


def test_reads_never_write():
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno} calls {call.func.attr}"
        for path in sources("annotation/access.py", "annotation/reports", "annotation/export")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and writes_rows(call)
    ]
    assert found == []


def writes_rows(call: ast.Call) -> bool:
    """Whether this is a call of a writing method; `update` writes rows when it names columns."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return name in WRITES or (name == "update" and bool(call.keywords) and not call.args)


def test_actions_never_enqueue():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("annotation/actions")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"delay", "apply_async", "delay_on_commit"}
    ]
    assert found == []


# The tree on the page ---------------------------------------------------------------------------------


def tree_on_the_page() -> list[str]:
    """The paths in the block of docs/architecture.md that begins with the project's root files.

    An indented line lies in the nearest folder above it with less indentation; the words after two spaces
    are the explanation.
    """
    page = (ROOT / "docs" / "architecture.md").read_text()
    block = next(text for text in re.findall(r"```\n(.*?)```", page, re.DOTALL) if "manage.py" in text)
    paths: list[str] = []
    folders: list[tuple[int, str]] = []
    for line in filter(str.strip, block.splitlines()):
        indent = len(line) - len(line.lstrip())
        folders = [folder for folder in folders if folder[0] < indent]
        above = folders[-1][1] if folders else ""
        for name in re.split(r"\s{2,}", line.strip())[0].split():
            paths.append(above + name)
            if name.endswith("/"):
                folders.append((indent, above + name))
    return paths


def test_every_path_on_the_page_exists():
    assert [path for path in tree_on_the_page() if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("package", ["annotation", "models_runtime"])
def test_every_module_is_on_the_page(package):
    listed = {path.rstrip("/") for path in tree_on_the_page()}
    modules = {
        f"{package}/{path.name}"
        for path in (ROOT / package).iterdir()
        if (path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py"))))
        if path.name not in {"__init__.py", "__pycache__"}
    }
    assert modules - listed == set()


def test_no_module_takes_another_modules_private_names():
    wrong = [
        f"{path.relative_to(ROOT)} imports {alias.name} of {node.module}"
        for path in sources("annotation", "models_runtime")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith(("annotation", "models_runtime"))
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert wrong == []
