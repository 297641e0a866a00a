"""A database made by migrations in one of two ways, described: `python -m tests.migrated squash | singles`.

It prints what there is as JSON, for `tests/models/test_squash.py`. `singles` is an installation that knew no
squash, had rows when it stopped at two earlier versions, and is brought up to date by this one.
"""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from unittest import mock

import django
from django.apps.registry import Apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

POSTGRESQL = {
    "columns": """
        SELECT relname, row_number() OVER (PARTITION BY relname ORDER BY attnum), attname,
            format_type(atttypid, atttypmod), attnotnull, attidentity::text, attgenerated::text,
            pg_get_expr(adbin, adrelid), collname
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
            LEFT JOIN pg_attrdef ON adrelid = pg_class.oid AND adnum = attnum
            LEFT JOIN pg_collation ON pg_collation.oid = attcollation
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace""",
    "storage": """
        SELECT relname, relkind::text, reloptions
        FROM pg_class WHERE relnamespace = 'public'::regnamespace""",
    "indexes": """
        SELECT indexrelid::regclass::text, indisvalid, pg_get_indexdef(indexrelid)
        FROM pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE relnamespace = 'public'::regnamespace""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, convalidated, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "triggers": """
        SELECT tgname, tgenabled::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal""",
    "functions": """
        SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace""",
    "sequences": """
        SELECT seqrelid::regclass::text, seqtypid::regtype::text, seqstart, seqincrement, seqmax, seqmin,
            seqcache, seqcycle
        FROM pg_sequence""",
}
TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
SQLITE = {
    "indexes": "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "triggers": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
    "foreign keys": """
        SELECT m.name, k."from", k."table", k."to", k.on_update, k.on_delete
        FROM sqlite_master m, pragma_foreign_key_list(m.name) k WHERE m.type = 'table'""",
    "unique": """
        SELECT m.name, i.origin, i.partial, (SELECT group_concat(c.name) FROM pragma_index_info(i.name) c)
        FROM sqlite_master m, pragma_index_list(m.name) i WHERE m.type = 'table' AND i."unique" """,
    # Without their order: rebuilding a table, Django puts last what refers to the table itself.
    "columns": """
        SELECT m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk, c.hidden
        FROM sqlite_master m, pragma_table_xinfo(m.name) c WHERE m.type = 'table'""",
}
OF_THE_MOMENT = {"id", "content_type_id", "applied", "created_at"}


def described() -> dict:
    """All that the database holds, by kind, sorted."""
    told = {}
    with connection.cursor() as cursor:
        for kind, question in (SQLITE if connection.vendor == "sqlite" else POSTGRESQL).items():
            cursor.execute(question)
            told[kind] = sorted(map(list, cursor.fetchall()), key=repr)
        if connection.vendor == "sqlite":
            cursor.execute(TABLES)
            told["tables"] = {name: parts_of(sql) for name, sql in cursor.fetchall()}
    return told | {"rows": rows_there()}


def parts_of(table: str) -> list[str]:
    """The columns and constraints of a CREATE TABLE, each with one blank between words, sorted."""
    parts, depth = [""], 0
    for token in re.findall(
        r"'(?:[^']|'')*'|\"[^\"]*\"|\s+|.", table[table.index("(") + 1 : table.rindex(")")]
    ):
        depth += (token == "(") - (token == ")")
        if token == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += " " if token.isspace() else token
    return sorted(part.strip() for part in parts)


def rows_there() -> dict[str, list]:
    """The rows of each table that has any, without what is of the moment, sorted."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, map(str, row), strict=True)) for row in cursor.fetchall()]
            kept = [{name: row[name] for name in names if name not in OF_THE_MOMENT} for row in rows]
            found |= {table: sorted(kept, key=repr)} if kept else {}
    return found


@contextmanager
def no_squash() -> Iterator[None]:
    """As in a version that had none."""
    load = MigrationLoader.load_disk

    def load_singles(loader: MigrationLoader) -> None:
        load(loader)
        found = loader.disk_migrations.items()
        loader.disk_migrations = {key: migration for key, migration in found if not migration.replaces}

    with mock.patch.object(MigrationLoader, "load_disk", load_singles):
        yield


def by_singles() -> None:
    with no_squash():
        add_prompt(stopped_at("0010_joining"))
        add_judgment(stopped_at("0020_quicker_judgments"))
    migrate()


def migrate() -> None:
    call_command("migrate", verbosity=0)


def stopped_at(name: str) -> Apps:
    """The models of an earlier version, whose tables are there; and so are those of all other apps."""
    executor = MigrationExecutor(connection)
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] != "annotation"]
    executor.migrate([*others, ("annotation", name)])
    return executor.loader.project_state([("annotation", name)]).apps


def add_prompt(apps: Apps) -> None:
    """A prompt in German, of a researcher's study: later migrations find its language, and make an owner."""
    alice = apps.get_model("annotation", "User").objects.create(username="alice", is_staff=True)
    study = apps.get_model("annotation", "Study").objects.create(slug="kites", title="Kites", overlap=1)
    study.researchers.add(alice)
    said = [{"role": "user", "content": "Wie baut man einen Drachen, der bei wenig Wind gut fliegt?"}]
    apps.get_model("annotation", "Prompt").objects.create(
        study=study, key="one", messages=said, intent="benign"
    )


def add_judgment(apps: Apps) -> None:
    """A judgment of a pair, with the rows that it needs."""
    model = partial(apps.get_model, "annotation")
    study, prompt = model("Study").objects.get(), model("Prompt").objects.get()
    answers = [
        model("Response").objects.create(
            study=study,
            prompt=prompt,
            arm=model("Arm").objects.create(study=study, name=name, position=place),
            finish_reason="imported",
        )
        for place, name in enumerate(["one", "two"])
    ]
    pair = model("Pair").objects.create(
        **{"study": study, "prompt": prompt, "response_a": answers[0], "response_b": answers[1]},
        **{"position": 7, "place": 7, "overlap": 1, "open_slots": 1},
    )
    rater = model("Enrolment").objects.create(study=study, user=model("User").objects.get(), code="r")
    model("Judgment").objects.create(study=study, enrolment=rater, pair=pair, source="imported")


if __name__ == "__main__":
    django.setup()
    migrate() if sys.argv[1] == "squash" else by_singles()
    print(json.dumps(described()))
