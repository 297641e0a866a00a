"""Studies begin, open, close."""

from django.db import transaction
from django.db.models import Max

from annotation.actions import events
from annotation.errors import StudyMoved
from annotation.models import Assignment, GuidelineVersion, Membership, Study, User
from annotation.text import refuse_hidden
from annotation.vocabulary import PAIRS_OF_STUDY, GuidelineCondition, StudyRole, StudyState


@transaction.atomic
def create_study(slug: str, title: str, researcher: User | None = None, **rules) -> Study:
    """A draft study that `researcher` owns. `rules` are fields of `Study`. Raises DomainError."""
    refuse_hidden("The title", title)
    study = Study.objects.create(slug=slug, title=title, **rules)
    if researcher:
        Membership.objects.create(study=study, user=researcher, role=StudyRole.OWNER)
    events.record(study, "create_study", researcher)
    return study


CHANGEABLE = (
    *("title", "question", "overlap", "allow_tie", "matched_sampling", "guideline_condition"),
    *("harm_categories", "lease_minutes", "overlap_max", "extra_budget", "cap_per_day", "cap_total"),
    *("blurred_categories", "exposure_per_day", "break_minutes", "resources"),
)
"""Rules that an editor may change at any time; they hold for what is given out from then on."""


@transaction.atomic
def change_study(study: Study, actor: User | None = None, **rules) -> Study:
    """Change some of CHANGEABLE, if none of these is other than `study` holds it in memory.

    Raises StudyMoved where somebody was quicker, DomainError for a title that cannot be read.
    """
    refuse_hidden("The title", rules.get("title", ""))
    refuse_hidden("The question", rules.get("question", ""))
    as_read = {name: getattr(study, name) for name in rules}
    if not Study.objects.filter(pk=study.pk, **as_read).update(**rules):
        raise StudyMoved("Somebody has changed the study meanwhile. Read it again, then change it.")
    changed = sorted(name for name in rules if rules[name] != as_read[name])
    study.refresh_from_db()
    if changed:
        events.record(study, "change_study", actor, changed=changed)
    return study


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
    """Open or close the study; False when it already is in that state."""
    changed = Study.objects.filter(pk=study.pk).exclude(state=state).update(state=state)
    study.state = state
    if changed:
        events.record(study, "set_state", actor, state=state)
    return bool(changed)


@transaction.atomic
def add_guideline(study: Study, body: str, actor: User | None = None) -> GuidelineVersion:
    """The next version of the study's guideline, shown to raters from now on if the study shows one."""
    # The lock makes two editors take turns, so that both get a number.
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    last = study.guidelines.aggregate(last=Max("version"))["last"] or 0
    guideline = study.guidelines.create(version=last + 1, body=body)
    events.record(study, "add_guideline", actor, version=guideline.version)
    return guideline


def current_guideline(study: Study) -> GuidelineVersion | None:
    """What raters of a policy-given study read; None in a policy-free one."""
    if study.guideline_condition == GuidelineCondition.POLICY_FREE:
        return None
    return study.guidelines.first()
