"""A short cut on PostgreSQL: a judgment and the next claim in one statement.

`evenhand_judge_and_claim` does for the plain case what `actions.judging.submit_and_claim` does for all, with
a tenth of the work, because one judgment through the ORM is a dozen statements. In every other case it
changes nothing and returns NULL, and the action does it. `tests/actions/test_short_cut.py` gives both the
same work and compares every row.

It returns the next pair as the JSON that the rater is sent, with the fields of `access.BlindText`; or `null`
where the answers are kept and the next pair has to be claimed.

It must never know less than the action without stepping aside. So it looks at all columns of the study, the
rater and the pair: one that it does not know and that is not empty, zero or false makes it step aside; and
where one was added since it was installed, it steps aside until it is installed again.
"""

KNOWN = {
    "study": (
        "id slug title question state overlap allow_tie matched_sampling guideline_condition harm_categories "
        "lease_minutes overlap_max extra_budget cap_per_day cap_total seed pair_count arrivals created_at "
        "blurred_categories break_minutes resources "  # these three change nothing about a claim, nor do
        "gold_count quiz_attempts dispute_spread "  # these; the next three are looked at
        "consent_version practice_needed quiz_pass_percent "
        "pairing archived_at deleted_at forked_from_id"  # further_questions make it step aside
    ),
    "enrolment": (
        "id study_id user_id code state cursor arrivals_seen judged judged_today judged_on tilt cap_per_day "
        "cap_total created_at role offered consent_version practised_at qualification revised"
    ),
    "pair": (
        "id study_id prompt_id response_a_id response_b_id position place overlap open_slots has_room "
        "state decision shown_a shown_b scanner created_at"
    ),
}


EMPTY = """('null', '0', 'false', '""', '[]', '{}')"""

NAME = "evenhand_judge_and_claim"
ARGUMENTS = "token_digest text, hold uuid, idempotency text, given jsonb, at timestamptz"
WAYS = "seqscan bitmapscan sort hashjoin mergejoin material memoize"
PLANS = " ".join(f"SET enable_{way} = off" for way in WAYS.split())
PLANS += " SET plan_cache_mode = force_generic_plan"
"""A connection plans these statements once. Planned while the tables are nearly empty, they would read whole
tables ever after; by index they are right at every size."""

FREE = """
    x.study_id = h.study_id AND x.place >= start AND x.has_room AND x.state = 'open' AND NOT EXISTS (
        SELECT FROM annotation_assignment y
        WHERE y.pair_id = x.id AND y.enrolment_id + 0 = h.rater AND y.state <> 'expired'
    ) ORDER BY x.place LIMIT 1"""
"""`+ 0` lets no index of raters be used, here and where the hold is looked for: a pair has a few holds, a
rater thousands."""

MORE_THAN_IS_SHOWN = """'$[*].keyvalue() ? (@.key != "role" && @.key != "content")'"""
"""The path of a message's fields that no rater is shown."""

# The statements are few and wide because each costs more to begin than to do.
BODY = """
#variable_conflict use_column
DECLARE
    h record; n record; judgment bigint; new_hold CONSTANT uuid := gen_random_uuid();
    today CONSTANT date := (at AT TIME ZONE 'UTC')::date; start bigint;
    -- A variable, lest the index of all that is leased be read: it would meet what was leased before.
    still CONSTANT text := 'leased';
    a_left boolean; guide bigint; guide_text text := ''; until timestamptz; sign smallint;
BEGIN
    -- The rater is locked first: docs/rules/locking.md. For what comes before a pair see
    -- claims.refuse_unless_ready.
    SELECT w.id AS person, r.id AS rater, r.code, r.cursor, r.tilt, r.judged + 1 AS judged,
        CASE WHEN r.judged_on = today THEN r.judged_today ELSE 0 END + 1 AS so_far,
        s.id AS study_id, s.slug, s.seed, s.guideline_condition, s.lease_minutes, s.allow_tie,
        s.harm_categories, s.pair_count, a.id AS assignment, p.id AS pair, p.response_a_id, p.response_b_id
    INTO h
    FROM annotation_apitoken t
        JOIN annotation_user w ON w.id = t.user_id AND w.is_active
        JOIN annotation_assignment a ON a.token = hold
        JOIN annotation_enrolment r ON r.id = a.enrolment_id + 0 AND r.user_id = w.id
        JOIN annotation_study s ON s.id = r.study_id
        JOIN annotation_pair p ON p.id = a.pair_id
    WHERE t.digest = token_digest AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > at)
        AND t.scopes @> '"rate"' AND {of_now} AND (
        s.consent_version <> r.consent_version OR s.practice_needed AND r.practised_at IS NULL
        OR s.quiz_pass_percent IS NOT NULL AND r.qualification <> 'passed' OR a.kind <> 'rated'
        OR s.state <> 'open' OR r.state <> 'active' OR s.overlap_max IS NOT NULL
        OR s.arrivals <> r.arrivals_seen
        OR r.judged + 1 >= COALESCE(r.cap_total, s.cap_total, 2147483647)
        OR CASE WHEN r.judged_on = today THEN r.judged_today ELSE 0 END + 1
            >= COALESCE(r.cap_per_day, s.cap_per_day, 2147483647)
        OR NOT s.allow_tie AND '0' IN (given->>'safer', given->>'more_helpful', given->>'balance')
        OR NOT s.harm_categories @> (given->'left'->'categories')
        OR NOT s.harm_categories @> (given->'right'->'categories')
        OR NOT ({plain_study}) OR NOT ({plain_rater}) OR NOT ({plain_pair})
    ) IS NOT TRUE
    FOR NO KEY UPDATE OF r;
    IF NOT FOUND THEN RETURN NULL; END IF;

    UPDATE annotation_assignment z SET state = 'submitted', submitted_at = at
        WHERE z.id = h.assignment AND z.token = hold AND z.state = still
        RETURNING z.left_is_a, z.guideline_condition, z.guideline_id INTO n;
    IF NOT FOUND THEN RETURN NULL; END IF;
    sign := CASE WHEN n.left_is_a THEN 1 ELSE -1 END;
    INSERT INTO annotation_judgment (
        study_id, enrolment_id, source, assignment_id, pair_id, revision, idempotency_key,
        guideline_condition, guideline_id, left_is_a, safer, safer_canonical, more_helpful,
        more_helpful_canonical, balance, balance_canonical, both_bad, confidence, rationale)
    VALUES (
        h.study_id, h.rater, 'rated', h.assignment, h.pair, 1, idempotency,
        n.guideline_condition, n.guideline_id, n.left_is_a,
        (given->>'safer')::smallint, (given->>'safer')::smallint * sign,
        (given->>'more_helpful')::smallint, (given->>'more_helpful')::smallint * sign,
        (given->>'balance')::smallint, (given->>'balance')::smallint * sign,
        (given->>'both_bad')::boolean, (given->>'confidence')::smallint, given->>'rationale')
    RETURNING id INTO judgment;
    INSERT INTO annotation_responsejudgment (
        judgment_id, response_id, side, safety, severity, helpfulness, mode, categories, facilitation)
    SELECT judgment, CASE WHEN (side = 'left') = n.left_is_a THEN h.response_a_id ELSE h.response_b_id END,
        side, part->>'safety', part->>'severity', (part->>'helpfulness')::smallint, part->>'mode',
        part->'categories', (part->>'facilitation')::boolean
    FROM (VALUES ('left', given->'left'), ('right', given->'right')) AS parts (side, part);
    INSERT INTO annotation_event (study_id, actor_id, verb, detail)
    VALUES (h.study_id, h.person, 'submit_judgment', jsonb_build_object('rater', h.code, 'revision', 1));

    start := CASE WHEN h.cursor < {returned} THEN h.cursor
        ELSE GREATEST({returned}, h.cursor - 60000000) END;
    SELECT x.id, x.place, x.position, x.overlap, q.messages,
        COALESCE(x.shown_a, ra.text) AS a_text, COALESCE(x.shown_b, rb.text) AS b_text,
        (SELECT x.place FROM annotation_pair x WHERE {free}) AS first_place,
        ({plain_next}) AND 0 = (  -- counted for this pair alone; EXISTS might gather all the rater has had
            SELECT count(*) FROM annotation_assignment y
            WHERE y.pair_id = x.id AND y.enrolment_id + 0 = h.rater
        ) AND NOT jsonb_path_exists(q.messages, {more_than_is_shown}) AS is_plain
    INTO n
    FROM annotation_pair x JOIN annotation_prompt q ON q.id = x.prompt_id
        JOIN annotation_response ra ON ra.id = x.response_a_id
        JOIN annotation_response rb ON rb.id = x.response_b_id
    WHERE {free} FOR NO KEY UPDATE OF x SKIP LOCKED;
    IF NOT FOUND OR NOT n.is_plain THEN
        UPDATE annotation_enrolment z SET judged = h.judged, judged_today = h.so_far, judged_on = today
            WHERE z.id = h.rater;
        RETURN 'null';
    END IF;

    IF h.guideline_condition <> 'policy_free' THEN
        SELECT g.id, g.body INTO guide, guide_text FROM annotation_guidelineversion g
            WHERE g.study_id = h.study_id ORDER BY g.version DESC LIMIT 1;
    END IF;
    until := at + make_interval(mins => h.lease_minutes);
    UPDATE annotation_pair z SET open_slots = z.open_slots - 1 WHERE z.id = n.id;
    -- The coin of draws.left_is_a: the lowest bit that a draw keeps of its hash.
    INSERT INTO annotation_assignment (
        token, pair_id, enrolment_id, kind, attempt, slot, left_is_a, guideline_condition, guideline_id,
        state, claimed_at, lease_until, reason, note)
    SELECT new_hold, n.id, h.rater, 'rated', 1,
        CASE WHEN 0 <> ALL (taken.slots) THEN 0 WHEN 1 <> ALL (taken.slots) THEN 1 ELSE  -- as nearly always
            (SELECT min(free) FROM generate_series(2, n.overlap - 1) AS free WHERE free <> ALL (taken.slots))
        END,
        CASE WHEN taken.lean <> 0 THEN taken.lean < 0 ELSE (get_byte(sha256(convert_to(concat_ws(
            E'\\x1f', h.seed, 'side', n.position, h.code), 'UTF8')), 7) >> 2) & 1 = 0 END,
        h.guideline_condition, guide, 'leased', at, until, '', ''
    FROM (
        SELECT COALESCE(array_agg(y.slot), '{{}}') AS slots,
            COALESCE(NULLIF(2 * count(*) FILTER (WHERE y.left_is_a) - count(*), 0), h.tilt) AS lean
        FROM annotation_assignment y
        WHERE y.pair_id = n.id AND y.kind = 'rated' AND y.state IN ('leased', 'submitted')
    ) AS taken
    RETURNING left_is_a INTO a_left;
    UPDATE annotation_enrolment z SET cursor = LEAST(COALESCE(n.first_place, n.place), n.place),
        tilt = h.tilt + CASE WHEN a_left THEN 1 ELSE -1 END, offered = z.offered + 1,
        judged = h.judged, judged_today = h.so_far, judged_on = today WHERE z.id = h.rater;
    RETURN json_build_object(
        'id', new_hold, 'study', h.slug, 'prompt', n.messages,
        'left', json_build_object('text', CASE WHEN a_left THEN n.a_text ELSE n.b_text END),
        'right', json_build_object('text', CASE WHEN a_left THEN n.b_text ELSE n.a_text END),
        'allow_tie', h.allow_tie, 'harm_categories', h.harm_categories, 'guideline', COALESCE(guide_text, ''),
        'lease_until', replace(to_char(until AT TIME ZONE 'UTC', {iso_8601}), '.000000', ''),
        'judged', h.judged, 'pair_count', h.pair_count)::text;
END
"""


def _is_plain(cursor, row: str, table: str) -> str:
    """The condition that all columns which the function does not know are empty, zero or false."""
    known = KNOWN[table].split()
    others = [column for column in _columns(cursor, table) if column.name not in known]
    return " AND ".join(_is_empty(f"{row}.{column.name}", column.type_code) for column in others) or "TRUE"


def _columns(cursor, table: str) -> list:
    cursor.execute(f"SELECT * FROM annotation_{table} LIMIT 0")
    return list(cursor.description)


def _is_empty(column: str, kind: int) -> str:
    """For the usual kinds in the cheapest words, since each judgment asks for a dozen columns."""
    return EMPTY_OF.get(kind, f"COALESCE(to_jsonb(%s), 'null') IN {EMPTY}") % column


EMPTY_OF = {16: "%s IS NOT TRUE", 3802: f"COALESCE(%s, 'null') IN {EMPTY}"}  # boolean, jsonb
EMPTY_OF |= dict.fromkeys((20, 21, 23), "COALESCE(%s, 0) = 0")  # bigint, smallint, integer
EMPTY_OF |= dict.fromkeys((25, 1043), "COALESCE(%s, '') = ''")  # text, varchar
"""By the numbers that PostgreSQL gives its types."""

ALL_COLUMNS = "SELECT sum(relnatts) FROM pg_class WHERE oid IN ({})"
"""How many columns the tables of KNOWN have, with dropped ones: it only grows."""


def _of_now(cursor) -> str:
    """The condition that no column was added since: else it would be one that the function does not know."""
    count = ALL_COLUMNS.format(", ".join(f"'annotation_{table}'::regclass" for table in KNOWN))
    cursor.execute(count)
    return f"({count}) = {cursor.fetchone()[0]}"


def _body(cursor) -> str:
    return BODY.format(
        of_now=_of_now(cursor),
        plain_study=_is_plain(cursor, "s", "study"),
        plain_rater=_is_plain(cursor, "r", "enrolment"),
        plain_pair=_is_plain(cursor, "p", "pair"),
        plain_next=_is_plain(cursor, "x", "pair"),
        returned=2**62,
        free=FREE,
        iso_8601="""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""",
        more_than_is_shown=MORE_THAN_IS_SHOWN,
    )


def install(connection) -> None:
    """Create the function, or replace it; does nothing on SQLite."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"DROP FUNCTION IF EXISTS {NAME}")
        head = f"CREATE FUNCTION {NAME}({ARGUMENTS}) RETURNS text"
        cursor.execute(f"{head} LANGUAGE plpgsql {PLANS} AS $body${_body(cursor)}$body$")


def remove(connection) -> None:
    """Drop the function, to undo the migration."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP FUNCTION IF EXISTS {NAME}")
