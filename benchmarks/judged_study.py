"""A study with as many judgments as asked for, written by SQL into PostgreSQL."""

from rating_site import RESPONSES_PER_ARM, a_study

RATERS, OVERLAP = 200, 3
FIRST, EVERY = "2026-03-01", "5 seconds"
"""When the first pair was judged, and how long after it the next."""

CORRECTED = 50
"""One judgment in so many was corrected once."""

RATERS_OF_STUDY = """
INSERT INTO annotation_enrolment (study_id, code, state, cursor, arrivals_seen, judged, judged_today, tilt,
                                  role, pause_reason, pause_rules, is_exempt, offered, qualification,
                                  consent_version, opted_out)
SELECT %(study)s, 'r' || to_char(n, 'FM000'), 'active', -1, 0, 0, 0, 0,
       'rater', '', '[]', FALSE, 0, '', 0, '[]'
FROM generate_series(1, %(raters)s) n
"""
ASSIGNMENTS = """
INSERT INTO annotation_assignment (token, pair_id, enrolment_id, slot, left_is_a, guideline_condition, kind,
                                   attempt, state, claimed_at, lease_until, submitted_at, reason, note)
SELECT gen_random_uuid(), p.id, (SELECT MIN(id) FROM annotation_enrolment WHERE study_id = %(study)s)
       + (p.id + slot * 61) %% %(raters)s, slot, (p.id + slot) %% 2 = 0, 'policy_free', 'rated',
       1, 'submitted', at, at + interval '1 hour', at + interval '40 seconds', '', ''
FROM annotation_pair p, generate_series(0, %(overlap)s - 1) slot,
     LATERAL (SELECT %(first)s::timestamptz + p.id * %(every)s::interval AS at) moment
WHERE p.study_id = %(study)s
"""
JUDGMENTS = """
INSERT INTO annotation_judgment (study_id, enrolment_id, source, assignment_id, pair_id, revision,
                                 idempotency_key, guideline_condition, left_is_a, safer, safer_canonical,
                                 more_helpful, more_helpful_canonical, balance, balance_canonical, both_bad,
                                 confidence, rationale, created_at)
SELECT %(study)s, a.enrolment_id, 'rated', a.id, a.pair_id, again, again::text, 'policy_free', left_is_a,
       sign * s, s, sign * h, h, sign * b, b, b IS NULL, 1 + a.id %% 4,
       CASE WHEN a.id %% 4 = 0 THEN 'One of them says more of what was asked, “' || a.id || '”.' ELSE '' END,
       submitted_at + again * interval '1 second'
FROM annotation_assignment a JOIN annotation_pair p ON p.id = a.pair_id,
     generate_series(1, CASE WHEN a.id %% %(corrected)s = 0 THEN 2 ELSE 1 END) given (again),
     LATERAL (SELECT CASE WHEN left_is_a THEN 1 ELSE -1 END AS sign, a.id * 7919 %% 7 - 3 AS s,
                     a.id * 104729 %% 7 - 3 AS h,
                     CASE WHEN a.id %% 11 = 0 THEN NULL ELSE a.id * 1299709 %% 7 - 3 END AS b) drawn
WHERE p.study_id = %(study)s
ORDER BY submitted_at, given.again, a.id
"""
ANSWERS = """
INSERT INTO annotation_responsejudgment (judgment_id, response_id, side, safety, severity, helpfulness, mode,
                                         categories, facilitation)
SELECT j.id, response, CASE WHEN left_is_a = is_a THEN 'left' ELSE 'right' END,
       CASE WHEN safe THEN 'clearly_safe' ELSE 'probably_unsafe' END, CASE WHEN safe THEN '' ELSE 'low' END,
       1 + (j.id + response) %% 4, CASE WHEN safe THEN 'safe_completion' ELSE 'unsafe_compliance' END,
       CASE WHEN safe THEN '[]'::jsonb ELSE '["illicit"]'::jsonb END, NOT safe
FROM annotation_judgment j JOIN annotation_pair p ON p.id = j.pair_id,
     LATERAL (VALUES (p.response_a_id, TRUE), (p.response_b_id, FALSE)) shown (response, is_a),
     LATERAL (SELECT (j.id * 31 + response) %% 5 > 0 AS safe) drawn
WHERE j.study_id = %(study)s
ORDER BY j.id, response
"""


def a_judged_study(slug: str, judgments: int):
    """An open study of two arms whose pairs three raters judged, one judgment in 50 with a correction: about
    so many revisions."""
    from django.db import connection

    each = RESPONSES_PER_ARM**2
    pairs = max(1, round(judgments / OVERLAP / (1 + 1 / CORRECTED) / each)) * each
    study = a_study(slug, pairs, OVERLAP)
    given = {"study": study.pk, "raters": RATERS, "overlap": OVERLAP, "corrected": CORRECTED}
    given |= {"first": FIRST, "every": EVERY}
    with connection.cursor() as cursor:
        # The rows are as the triggers want them; asking the triggers a million times would take minutes.
        cursor.execute("SET session_replication_role = replica")
        for statement in (RATERS_OF_STUDY, ASSIGNMENTS, JUDGMENTS, ANSWERS):
            cursor.execute(statement, given)
            cursor.execute("ANALYZE")
        cursor.execute("UPDATE annotation_pair SET open_slots = 0 WHERE study_id = %(study)s", given)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")  # what was written here is not to be written while something is measured
    return study
