"""A short cut on PostgreSQL: a judgment and the next claim in one statement.

`evenhand_judge_and_claim` does for the plain case what `actions.judging.submit_and_claim` does for all, with
a tenth of the work, because one judgment through the ORM is a dozen statements. In every other case it
changes nothing and returns no row, and the action does it. `tests/actions/test_short_cut.py` gives both the
same work and compares every row.

It must never know less than the action without stepping aside. So it looks at all columns of the study, the
rater and the pair: one that it does not know (of a later migration) and that is not empty, zero or false
makes it step aside.
"""

KNOWN = {
    "study": (
        "id slug title question state overlap allow_tie matched_sampling guideline_condition harm_categories "
        "lease_minutes overlap_max extra_budget cap_per_day cap_total seed pair_count arrivals created_at "
        "blurred_categories break_minutes resources "  # these three change nothing about a claim, nor do
        "gold_count quiz_attempts dispute_spread "  # these; the next three are looked at
        "consent_version practice_needed quiz_pass_percent"
    ),
    "enrolment": (
        "id study_id user_id code state cursor arrivals_seen judged judged_today judged_on tilt cap_per_day "
        "cap_total created_at role offered consent_version practised_at qualification"
    ),
    "pair": (
        "id study_id prompt_id response_a_id response_b_id position place overlap open_slots state decision "
        "shown_a shown_b scanner created_at"
    ),
}


def _is_plain(row: str, table: str) -> str:
    known = ", ".join(f"'{name}'" for name in KNOWN[table].split())
    return (
        f"NOT EXISTS (SELECT FROM jsonb_each(to_jsonb({row}) - ARRAY[{known}]) AS other "
        "WHERE other.value NOT IN ('null', '0', 'false', '\"\"', '[]', '{}'))"
    )


NAME = "evenhand_judge_and_claim"
ARGUMENTS = "auth_key text, hold uuid, idempotency text, given jsonb, new_hold uuid, at timestamptz"
RESULT = (
    "token uuid, study_slug text, messages jsonb, left_text text, right_text text, allow_tie boolean, "
    "harm_categories jsonb, guideline text, lease_until timestamptz, judged integer, pair_count integer"
)
PLANS = (
    "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off"
)
"""A connection plans these statements once. Planned while the tables are nearly empty, they would read whole
tables ever after; by index they are right at every size."""

FREE = """
    FROM annotation_pair x
    WHERE x.study_id = s.id AND x.place >= start AND x.open_slots > 0 AND x.state = 'open' AND NOT EXISTS (
        SELECT FROM annotation_assignment y
        WHERE y.pair_id = x.id AND y.enrolment_id = r.id AND y.state <> 'expired'
    ) ORDER BY x.place LIMIT 1"""

BODY = f"""
#variable_conflict use_column
DECLARE
    me bigint; a annotation_assignment; r annotation_enrolment; s annotation_study; p annotation_pair;
    n annotation_pair; judgment bigint; today date := (at AT TIME ZONE 'UTC')::date; so_far integer;
    start bigint; first_place bigint; slots smallint[]; lefts integer; lean integer; a_left boolean;
    guide annotation_guidelineversion; until timestamptz; sign smallint;
BEGIN
    SELECT w.id INTO me FROM authtoken_token t JOIN annotation_user w ON w.id = t.user_id
        WHERE t.key = auth_key AND w.is_active;
    SELECT z.* INTO a FROM annotation_assignment z WHERE z.token = hold;
    -- The rater first: docs/rules/locking.md.
    SELECT z.* INTO r FROM annotation_enrolment z WHERE z.id = a.enrolment_id AND z.user_id = me
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    SELECT z.* INTO s FROM annotation_study z WHERE z.id = r.study_id;
    SELECT z.* INTO p FROM annotation_pair z WHERE z.id = a.pair_id;
    so_far := CASE WHEN r.judged_on = today THEN r.judged_today ELSE 0 END + 1;
    -- What stands before the next pair: see claims.refuse_unless_ready.
    IF s.consent_version <> r.consent_version OR s.practice_needed AND r.practised_at IS NULL
        OR s.quiz_pass_percent IS NOT NULL AND r.qualification <> 'passed' OR a.kind <> 'rated'
    THEN RETURN; END IF;
    IF s.state <> 'open' OR r.state <> 'active' OR s.overlap_max IS NOT NULL OR s.arrivals <> r.arrivals_seen
        OR r.judged + 1 >= COALESCE(r.cap_total, s.cap_total, 2147483647)
        OR so_far >= COALESCE(r.cap_per_day, s.cap_per_day, 2147483647)
        OR NOT s.allow_tie AND '0' IN (given->>'safer', given->>'more_helpful', given->>'balance')
        OR NOT s.harm_categories @> (given->'left'->'categories')
        OR NOT s.harm_categories @> (given->'right'->'categories')
        OR NOT ({_is_plain("s", "study")}) OR NOT ({_is_plain("r", "enrolment")})
        OR NOT ({_is_plain("p", "pair")})
    THEN RETURN; END IF;

    -- By its number alone: through the index of what is leased it would meet all that was leased before.
    SELECT z.* INTO a FROM annotation_assignment z WHERE z.id = a.id FOR NO KEY UPDATE;
    IF a.token <> hold OR a.state <> 'leased' THEN RETURN; END IF;
    UPDATE annotation_assignment z SET state = 'submitted', submitted_at = at WHERE z.id = a.id;
    sign := CASE WHEN a.left_is_a THEN 1 ELSE -1 END;
    INSERT INTO annotation_judgment (
        study_id, enrolment_id, source, assignment_id, pair_id, revision, idempotency_key,
        guideline_condition, guideline_id, left_is_a, safer, safer_canonical, more_helpful,
        more_helpful_canonical, balance, balance_canonical, both_bad, confidence, rationale)
    VALUES (
        s.id, r.id, 'rated', a.id, p.id, 1, idempotency, a.guideline_condition, a.guideline_id, a.left_is_a,
        (given->>'safer')::smallint, (given->>'safer')::smallint * sign,
        (given->>'more_helpful')::smallint, (given->>'more_helpful')::smallint * sign,
        (given->>'balance')::smallint, (given->>'balance')::smallint * sign,
        (given->>'both_bad')::boolean, (given->>'confidence')::smallint, given->>'rationale')
    RETURNING id INTO judgment;
    INSERT INTO annotation_responsejudgment (
        judgment_id, response_id, side, safety, severity, helpfulness, mode, categories, facilitation)
    SELECT judgment, CASE WHEN (side = 'left') = a.left_is_a THEN p.response_a_id ELSE p.response_b_id END,
        side, part->>'safety', part->>'severity', (part->>'helpfulness')::smallint, part->>'mode',
        part->'categories', (part->>'facilitation')::boolean
    FROM (VALUES ('left', given->'left'), ('right', given->'right')) AS parts (side, part);
    INSERT INTO annotation_event (study_id, actor_id, verb, detail)
    VALUES (s.id, me, 'submit_judgment', jsonb_build_object('rater', r.code, 'revision', 1));

    start := CASE WHEN r.cursor >= {2**62} THEN GREATEST({2**62}, r.cursor - 60000000) ELSE r.cursor END;
    SELECT x.* INTO n {FREE} FOR NO KEY UPDATE SKIP LOCKED;
    IF n.id IS NOT NULL AND {_is_plain("n", "pair")} AND NOT EXISTS (
        SELECT FROM annotation_assignment y WHERE y.pair_id = n.id AND y.enrolment_id = r.id)
    THEN
        SELECT x.place INTO first_place {FREE};
        SELECT COALESCE(array_agg(y.slot), '{{}}'), count(*) FILTER (WHERE y.left_is_a) INTO slots, lefts
            FROM annotation_assignment y WHERE y.pair_id = n.id AND y.kind = 'rated'
                AND y.state IN ('leased', 'submitted');
        lean := COALESCE(NULLIF(2 * lefts - cardinality(slots), 0), r.tilt);
        -- The coin of draws.left_is_a: the lowest bit that a draw keeps of its hash.
        a_left := CASE WHEN lean <> 0 THEN lean < 0 ELSE (get_byte(sha256(convert_to(concat_ws(
            E'\\x1f', s.seed, 'side', n.position, r.code), 'UTF8')), 7) >> 2) & 1 = 0 END;
        IF s.guideline_condition <> 'policy_free' THEN
            SELECT g.* INTO guide FROM annotation_guidelineversion g WHERE g.study_id = s.id
                ORDER BY g.version DESC LIMIT 1;
        END IF;
        until := at + make_interval(mins => s.lease_minutes);
        UPDATE annotation_pair z SET open_slots = z.open_slots - 1 WHERE z.id = n.id;
        INSERT INTO annotation_assignment (
            token, pair_id, enrolment_id, kind, attempt, slot, left_is_a, guideline_condition, guideline_id,
            state, claimed_at, lease_until, reason, note)
        SELECT new_hold, n.id, r.id, 'rated', 1, min(free), a_left, s.guideline_condition, guide.id,
            'leased', at, until, '', ''
        FROM generate_series(0, n.overlap - 1) AS free WHERE free <> ALL (slots);
        r.cursor := LEAST(COALESCE(first_place, n.place), n.place);
        r.offered := r.offered + 1;
        r.tilt := r.tilt + CASE WHEN a_left THEN 1 ELSE -1 END;
        token := new_hold;
        SELECT q.messages, CASE WHEN a_left THEN a_text ELSE b_text END,
            CASE WHEN a_left THEN b_text ELSE a_text END INTO messages, left_text, right_text
        FROM annotation_prompt q, annotation_response ra, annotation_response rb, LATERAL (
            SELECT COALESCE(n.shown_a, ra.text) AS a_text, COALESCE(n.shown_b, rb.text) AS b_text) AS texts
        WHERE q.id = n.prompt_id AND ra.id = n.response_a_id AND rb.id = n.response_b_id;
        study_slug := s.slug; allow_tie := s.allow_tie; harm_categories := s.harm_categories;
        guideline := COALESCE(guide.body, ''); lease_until := until; pair_count := s.pair_count;
    END IF;
    UPDATE annotation_enrolment z SET cursor = r.cursor, tilt = r.tilt, offered = r.offered,
        judged = r.judged + 1, judged_today = so_far, judged_on = today WHERE z.id = r.id;
    judged := r.judged + 1;
    RETURN NEXT;
END
"""


def install(connection) -> None:
    """Create the function, or replace it; does nothing on SQLite."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"DROP FUNCTION IF EXISTS {NAME}")
        head = f"CREATE FUNCTION {NAME}({ARGUMENTS}) RETURNS TABLE ({RESULT})"
        cursor.execute(f"{head} LANGUAGE plpgsql {PLANS} AS $body${BODY}$body$")


def remove(connection) -> None:
    """Drop the function, to undo the migration."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP FUNCTION IF EXISTS {NAME}")
