"""On PostgreSQL the longer checks of the tables that a judgment writes are calls of functions.

PostgreSQL reads a check's expression anew, from its stored text, with each statement that writes to the
table; a function's expression is planned once per connection. Names and meaning stay, and Django knows
nothing of it. A migration that adds or changes such a check calls `shorten` in the end; without it only time
is lost.
"""

TABLES = ("judgment", "responsejudgment", "assignment", "pair", "enrolment")
LONG = 600  # characters of the stored expression; a call has some 130 for each column

CHECKS = """
SELECT conrelid::regclass::text, conname, pg_get_expr(conbin, conrelid),
    array_agg(quote_ident(attname) ORDER BY attnum),
    array_agg(format_type(atttypid, NULL) ORDER BY attnum)
FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
WHERE contype = 'c' AND conrelid = ANY (%s::regclass[]) AND length(conbin::text) > %s
    AND NOT starts_with(pg_get_expr(conbin, conrelid), conname || '(')
GROUP BY conrelid, conname, conbin
"""


def shorten(connection) -> None:
    """Turn each longer check into the call of a function of its name; does nothing on SQLite."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(CHECKS, [[f"annotation_{table}" for table in TABLES], LONG])
        for table, name, condition, columns, types in cursor.fetchall():
            # Its arguments are called as the columns, so the condition is the same text.
            arguments = ", ".join(f"{column} {kind}" for column, kind in zip(columns, types, strict=True))
            cursor.execute(
                f"CREATE OR REPLACE FUNCTION {name}({arguments}) RETURNS boolean LANGUAGE plpgsql IMMUTABLE "
                f"PARALLEL SAFE AS $check$BEGIN RETURN {condition}; END$check$"
            )
            cursor.execute(
                f"ALTER TABLE {table} DROP CONSTRAINT {name}, "
                f"ADD CONSTRAINT {name} CHECK ({name}({', '.join(columns)}))"
            )
