"""Studies begin, open, close."""

from django.db import transaction
from django.db.models import Max

from annotation.actions import events
from annotation.models import GuidelineVersion, Membership, Study, User
from annotation.text import refuse_hidden
from annotation.vocabulary import GuidelineCondition, StudyRole, StudyState


@transaction.atomic
def create_study(slug: str, title: str, researcher: User | None = None, **rules) -> Study:
    """A draft study that `researcher` owns. `rules` are fields of `Study`. Raises DomainError."""
    refuse_hidden("The title", title)
    study = Study.objects.create(slug=slug, title=title, **rules)
    if researcher:
        Membership.objects.create(study=study, user=researcher, role=StudyRole.OWNER)
    events.record(study, "create_study", researcher)
    return study


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
