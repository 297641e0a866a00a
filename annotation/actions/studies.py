"""Studies begin, open, close."""

from collections.abc import Callable, Iterable
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.text import slugify

from annotation.actions import events
from annotation.errors import StudyMoved, StudyRefused
from annotation.further import MOST_QUESTIONS, Question, question_problems, questions_of
from annotation.models import Assignment, GuidelineVersion, Membership, Study, User
from annotation.text import refuse_hidden
from annotation.vocabulary import PAIRS_OF_STUDY, GuidelineCondition, StudyRole, StudyState

RESERVED = ("new", "archive", "tokens", "people", "account", "webhooks", "audit")
"""Words of the desk's own addresses, which name no study."""

FIXED_BY_JUDGMENTS = ("allow_tie", "guideline_condition")
"""Fields of a study that make its judgments comparable: fixed from the first one on."""

EXAMPLE_GUIDELINE = Path(__file__).resolve().parent / "example_guideline.md"
"""For a new study to begin with; it says of itself that it is an example."""

TAKEN = "“{}” is taken. Choose another short name, or leave it empty."
LONGEST_SLUG = Study._meta.get_field("slug").max_length


@transaction.atomic
def create_study(slug: str, title: str, researcher: User | None = None, **rules) -> Study:
    """A draft study that `researcher` owns. `rules` are fields of `Study`. Raises DomainError."""
    _refuse_hidden({"title": title, **rules})
    study = Study(slug=slug, title=title, **rules)
    _refuse_contradiction(study)
    _refuse_categories(study)
    _save_new(study)
    if researcher:
        Membership.objects.create(study=study, user=researcher, role=StudyRole.OWNER)
    events.record(study, "create_study", researcher)
    return study


CHANGEABLE = (
    *("title", "question", "overlap", "allow_tie", "matched_sampling", "guideline_condition"),
    *("harm_categories", "lease_minutes", "overlap_max", "extra_budget", "cap_per_day", "cap_total"),
    *("blurred_categories", "exposure_per_day", "break_minutes", "resources"),
)
"""Rules that an editor may change; they hold for what is given out from then on. See FIXED_BY_JUDGMENTS."""


@transaction.atomic
def begin_study(title: str, researcher: User, slug: str = "", question: str = "") -> Study:
    """`create_study` for a person who need not think of a slug. Raises StudyRefused where it is taken."""
    return create_study(slug or free_slug(title), title, researcher, question=question)


def _save_new(study: Study) -> None:
    """Raises StudyRefused for a slug that names another study, if only since a moment ago."""
    if study.slug in RESERVED:
        raise StudyRefused(TAKEN.format(study.slug))
    try:
        with transaction.atomic():
            study.save(force_insert=True)
    except IntegrityError as error:
        if not Study.objects.filter(slug=study.slug).exists():
            raise
        raise StudyRefused(TAKEN.format(study.slug)) from error


def _refuse_hidden(fields: dict) -> None:
    for name in ("title", "question"):
        refuse_hidden(f"The {name}", fields.get(name, ""))
    for category in fields.get("harm_categories", ()):
        refuse_hidden("A harm category", category)


def free_slug(title: str) -> str:
    """A slug made of the title that no study has."""
    base = slugify(title)[: LONGEST_SLUG - 5] or "study"
    taken = {*RESERVED, *Study.objects.filter(slug__startswith=base).values_list("slug", flat=True)}
    numbered = (f"{base}-{number}" for number in range(2, len(taken) + 3))
    return base if base not in taken else next(slug for slug in numbered if slug not in taken)


def is_judged(study: Study) -> bool:
    """Whether somebody has judged a pair of the study here."""
    return study.judgments.filter(assignment__isnull=False).exists()


@transaction.atomic
def change_study(
    study: Study, actor: User | None = None, as_read: Callable[[Study], bool] | None = None, **fields
) -> bool:
    """Set these fields of the study, and keep what they were; False when nothing changed.

    Raises StudyRefused for what is fixed once pairs were judged (FIXED_BY_JUDGMENTS), and StudyMoved where
    `as_read` denies that the locked row is as the person read it.
    """
    row = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    if as_read and not as_read(row):
        raise StudyMoved("Somebody has changed the study meanwhile. Read it again, then change it.")
    changed = {name: value for name, value in fields.items() if getattr(row, name) != value}
    if not changed:
        return False
    _refuse_hidden(changed)
    if set(changed) & set(FIXED_BY_JUDGMENTS) and is_judged(row):
        raise StudyRefused(
            "Pairs were judged by these rules, so they stay as they are. Fork the study to ask otherwise."
        )
    before = {name: getattr(row, name) for name in changed}
    for name, value in changed.items():
        setattr(row, name, value)
    _refuse_contradiction(row)
    if {"harm_categories", "blurred_categories"} & set(changed):
        _refuse_categories(row)
        _refuse_to_lose(row)
    Study.objects.filter(pk=study.pk).update(**changed)
    for name, value in changed.items():
        setattr(study, name, value)
    events.record(study, "change_study", actor, before=before, after=changed)
    return True


def _refuse_contradiction(study: Study) -> None:
    most, overlap = study.overlap_max, study.overlap
    if most is not None and most < overlap:
        raise StudyRefused(
            f"The most raters for a pair ({most}) are fewer than the raters each pair has anyway ({overlap})."
        )


def _refuse_categories(study: Study) -> None:
    if odd := [name for name in study.blurred_categories if name not in study.harm_categories]:
        raise StudyRefused(f"Not among the harm categories, so not blurred: {', '.join(odd)}.")


def _refuse_to_lose(study: Study) -> None:
    used = study.prompts.exclude(harm_category__in=["", *study.harm_categories]).order_by()
    if lacking := sorted(used.values_list("harm_category", flat=True).distinct()):
        raise StudyRefused(f"Prompts have these, so they stay: {', '.join(lacking)}.")


@transaction.atomic
def ask_further(study: Study, questions: Iterable[Question], actor: User | None = None) -> None:
    """Let the study ask these further questions, in this order, instead of those before.

    Raises StudyRefused for what is no question, or once pairs were judged; StudyMoved where the study asks
    others than `study` holds in memory.
    """
    asked = list(questions)
    for question in asked:
        refuse_hidden("The question", " ".join([question.wording, *question.options]))
        if problems := question_problems(question):
            raise StudyRefused(" ".join(problems))
    if len(asked) > MOST_QUESTIONS or len({question.name for question in asked}) < len(asked):
        raise StudyRefused(f"A study asks at most {MOST_QUESTIONS} further questions, each of its own name.")
    kept = [question.as_json() for question in asked]
    row = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    if row.further_questions != study.further_questions:
        raise StudyMoved("Somebody has changed the questions meanwhile. Look at them again, then go on.")
    try:
        with transaction.atomic():
            Study.objects.filter(pk=study.pk).update(further_questions=kept)
    except IntegrityError as error:
        raise StudyRefused(
            "Pairs were judged already, so the questions stay as they are. Fork the study to ask others."
        ) from error
    study.further_questions = kept
    events.record(study, "ask_further", actor, questions=kept)


def note_rehearsal(study: Study, actor: User) -> None:
    """A researcher went through a pair as a rater would; of the answers nothing is kept."""
    events.record(study, "rehearse", actor)


def next_question_name(study: Study) -> str:
    """q1, q2 …: a name that no question of the study has."""
    taken = {question.name for question in questions_of(study.further_questions)}
    return next(name for n in range(1, MOST_QUESTIONS + 2) if (name := f"q{n}") not in taken)


@transaction.atomic
def note_complete(study: Study) -> bool:
    """Record that every pair has its judgments, once for so many pairs; False when there is more to do.

    Run by the beat: a submission that looked would have every rater wait for it.
    """
    if not study.pair_count or not _is_complete(study):
        return False
    last = study.events.filter(verb="complete_study").first()
    if last is not None and last.detail["pairs"] == study.pair_count:
        return False
    events.record(study, "complete_study", pairs=study.pair_count)
    return True


def _is_complete(study: Study) -> bool:
    held = Assignment.objects.leased().filter(enrolment__study=study)
    open_pairs = study.pairs.filter(state__in=PAIRS_OF_STUDY, open_slots__gt=0)
    return not open_pairs.exists() and not held.exists()


@transaction.atomic
def set_state(study: Study, state: StudyState, actor: User | None = None) -> bool:
    """Open, pause or close the study; False when it already is in that state.

    Raises StudyRefused for one that is archived or deleted, if only since a moment ago.
    """
    others = Study.objects.in_lists().filter(pk=study.pk).exclude(state=state)
    changed = others.update(state=state)
    if not changed:
        _refuse_archived(study, state)
    study.state = state
    if changed:
        events.record(study, "set_state", actor, state=state)
    return bool(changed)


def _refuse_archived(study: Study, state: StudyState) -> None:
    row = Study.objects.get(pk=study.pk)
    if row.deleted_at:
        raise StudyRefused("The study was deleted meanwhile, so its state stays as it is.")
    if row.archived_at and row.state != state:
        raise StudyRefused("The study is archived. Restore it first.")


@transaction.atomic
def add_guideline(study: Study, body: str, actor: User | None = None) -> GuidelineVersion:
    """The next version of the study's guideline, shown to raters from now on if the study shows one."""
    # The lock makes two editors take turns, so that both get a number.
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    last = study.guidelines.aggregate(last=Max("version"))["last"] or 0
    guideline = study.guidelines.create(version=last + 1, body=body)
    events.record(study, "add_guideline", actor, version=guideline.version)
    return guideline


@transaction.atomic
def set_guideline(
    study: Study,
    condition: GuidelineCondition,
    body: str,
    actor: User | None = None,
    as_read: Callable[[Study], bool] | None = None,
) -> None:
    """Whether raters read a guideline, and its words: another version where they changed. Both or neither.

    Raises what `change_study` raises.
    """
    change_study(study, actor, as_read, guideline_condition=condition)
    newest = study.guidelines.first()
    if body and body != (newest.body.strip() if newest else ""):
        add_guideline(study, body, actor)


def current_guideline(study: Study) -> GuidelineVersion | None:
    """What raters of a policy-given study read; None in a policy-free one."""
    if study.guideline_condition == GuidelineCondition.POLICY_FREE:
        return None
    return study.guidelines.first()
