"""What a judged study has while it is under way: gold, flags, pairs that wait for review, that lack a
judgment or were never seen, and what happened beside judging. Written by SQL into PostgreSQL."""

from django.db import connection

GOLD, FLAGGED, WITH_ROOM, LATER_PROMPTS, HAPPENED = 200, 1_000, 10_000, 50, 5_000

PEOPLE = """
INSERT INTO annotation_user (username, password, is_active, is_staff, is_superuser, first_name, last_name,
                             email, date_joined)
SELECT 'rater' || n, '!', TRUE, FALSE, FALSE, '', '', '', now() FROM generate_series(1, %(raters)s) n
"""
PLACES = """
UPDATE annotation_enrolment e SET judged = counted.n, arrivals_seen = 1, user_id = (
    SELECT id FROM annotation_user WHERE username = 'rater' || ltrim(substr(e.code, 2), '0'))
FROM (SELECT enrolment_id, count(*) AS n FROM annotation_assignment GROUP BY enrolment_id) counted
WHERE counted.enrolment_id = e.id
"""
EVENTS = """
INSERT INTO annotation_event (study_id, verb, detail, created_at)
SELECT study_id, CASE WHEN revision = 1 THEN 'submit_judgment' ELSE 'revise_judgment' END, '{}', created_at
FROM annotation_judgment WHERE study_id = %(study)s
"""
BESIDE = """
INSERT INTO annotation_event (study_id, verb, detail, created_at)
SELECT %(study)s, (ARRAY['skip_assignment', 'flag_assignment', 'change_prompt'])[1 + n %% 3], '{}',
       now() - n * interval '20 seconds'
FROM generate_series(1, %(happened)s) n
"""
GOLD_PAIRS = """
UPDATE annotation_pair SET state = 'gold'
WHERE id IN (SELECT id FROM annotation_pair WHERE study_id = %(study)s ORDER BY place LIMIT %(gold)s)
"""
GOLD_ANSWERS = """
INSERT INTO annotation_gold (study_id, pair_id, use, expected, tolerance, explanation, place, created_at)
SELECT study_id, id, 'check', '{"balance": 1}', 1, '', place, now() FROM annotation_pair
WHERE study_id = %(study)s AND state = 'gold'
"""
GOLD_HOLDS = """
UPDATE annotation_assignment SET kind = 'gold', slot = NULL
WHERE pair_id IN (SELECT pair_id FROM annotation_gold WHERE study_id = %(study)s)
"""
ROOM = """
UPDATE annotation_pair SET overlap = overlap + 1, open_slots = 1 WHERE id IN (
    SELECT id FROM annotation_pair WHERE study_id = %(study)s AND state = 'open'
    ORDER BY place LIMIT %(with_room)s)
"""
FLAGS = """
INSERT INTO annotation_assignment (token, pair_id, enrolment_id, slot, left_is_a, guideline_condition, kind,
                                   attempt, state, claimed_at, lease_until, reason, note)
SELECT gen_random_uuid(), p.id, (SELECT MIN(id) FROM annotation_enrolment WHERE study_id = %(study)s)
       + (p.id + %(overlap)s * 61) %% %(raters)s, NULL, TRUE, 'policy_free', 'rated', 1, 'flagged',
       now() - interval '1 day', now(), 'garbled', ''
FROM annotation_pair p WHERE p.study_id = %(study)s AND p.state = 'open' ORDER BY p.place LIMIT %(flagged)s
"""
PROMPTS = """
INSERT INTO annotation_prompt (study_id, key, messages, intent, harm_category, subset, family, language)
SELECT study_id, 'later-' || id, messages, intent, harm_category, subset, family, language
FROM annotation_prompt WHERE study_id = %(study)s ORDER BY id LIMIT %(later_prompts)s
"""
RESPONSES = """
INSERT INTO annotation_response (study_id, prompt_id, arm_id, sample, text, reasoning, finish_reason,
                                 provenance, scanner)
SELECT p.study_id, p.id, r.arm_id, r.sample, r.text || p.id, '', 'imported', '{}', '1'
FROM annotation_prompt p JOIN annotation_response r ON 'later-' || r.prompt_id = p.key
WHERE p.study_id = %(study)s
"""
PAIRS = """
INSERT INTO annotation_pair (study_id, prompt_id, response_a_id, response_b_id, position, place, overlap,
                             open_slots, state, decision, scanner)
SELECT a.study_id, a.prompt_id, a.id, b.id, place, place, %(overlap)s, %(overlap)s,
       CASE WHEN (a.id * 31 + b.id) %% 10 = 0 THEN 'held' ELSE 'open' END, '', '1'
FROM annotation_response a JOIN annotation_response b ON b.prompt_id = a.prompt_id AND b.arm_id > a.arm_id
     JOIN annotation_prompt p ON p.id = a.prompt_id AND p.key LIKE 'later-%%',
     LATERAL (SELECT (('x' || md5(a.id || ':' || b.id))::bit(62)::bigint) AS place) drawn
WHERE a.study_id = %(study)s
"""
MARKS = """
INSERT INTO annotation_mark (pair_id, kind, detail, scanner)
SELECT id, 'near_identical', '{"similarity": 0.97}', '1' FROM annotation_pair
WHERE study_id = %(study)s AND state = 'held'
"""
COUNTS = """
UPDATE annotation_study SET gold_count = %(gold)s, pair_count = (
    SELECT count(*) FROM annotation_pair WHERE study_id = %(study)s AND state IN ('open', 'held')
) WHERE id = %(study)s
"""
STATEMENTS = (
    *(PEOPLE, PLACES, EVENTS, BESIDE, GOLD_PAIRS, GOLD_ANSWERS, GOLD_HOLDS),
    *(ROOM, FLAGS, PROMPTS, RESPONSES, PAIRS, MARKS),
)


def get_under_way(study, raters: int, overlap: int) -> None:
    """Give the judged study all of that."""
    given = {
        "study": study.pk,
        "raters": raters,
        "overlap": overlap,
        "gold": GOLD,
        "flagged": FLAGGED,
        "with_room": WITH_ROOM,
        "later_prompts": LATER_PROMPTS,
        "happened": HAPPENED,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # as in judged_study
        for statement in STATEMENTS:
            cursor.execute(statement, given)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute(COUNTS, given)
        cursor.execute("VACUUM ANALYZE")
