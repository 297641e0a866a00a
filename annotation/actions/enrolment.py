"""Raters join a study."""

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.crypto import salted_hmac

from annotation.actions import events
from annotation.errors import NotQualified
from annotation.models import Enrolment, Membership, Study, User
from annotation.vocabulary import EnrolmentState

RESEARCHER = "Your place is paused: you are one of this study's researchers, who do not judge it blind."


@transaction.atomic
def enrol(study: Study, user: User, actor: User | None = None) -> Enrolment:
    """`user`'s place in the study; enrolling twice changes nothing. Raises NotQualified for a researcher."""
    lock_account(user)
    _refuse_researcher(study, user)
    enrolment, created = Enrolment.objects.get_or_create(
        study=study, user=user, defaults={"code": pseudonym(study, f"user {user.pk}")}
    )
    if created:
        events.record(study, "enrol", actor, rater=enrolment.code)
    return enrolment


@transaction.atomic
def set_state(enrolment: Enrolment, state: EnrolmentState, actor: User | None = None) -> bool:
    """Pause a rater or let them go on; False when nothing changed. Raises NotQualified for a researcher.

    Answers to the pair that a paused rater holds are kept as surplus.
    """
    if state == EnrolmentState.ACTIVE and enrolment.user:
        lock_account(enrolment.user)
        _refuse_researcher(enrolment.study, enrolment.user)
    changed = Enrolment.objects.filter(pk=enrolment.pk).exclude(state=state).update(state=state)
    enrolment.state = state
    if changed:
        events.record(enrolment.study, "set_rater_state", actor, rater=enrolment.code, state=state)
    return bool(changed)


def pause_researchers() -> int:
    """Pause the places of people who became researchers of the same study since; says how many.

    Run by the beat: nobody asks at every claim. What they judged while they knew no arm still counts.
    """
    rows = Enrolment.objects.filter(state=EnrolmentState.ACTIVE, user__isnull=False)
    named = Membership.objects.filter(study=OuterRef("study"), user=OuterRef("user"))
    sees = Q(user__is_superuser=True) | Exists(named)
    return sum(_pause_researcher(place) for place in rows.filter(sees).select_related("study"))


@transaction.atomic
def _pause_researcher(place: Enrolment) -> bool:
    if not set_state(place, EnrolmentState.PAUSED):
        return False
    return bool(Enrolment.objects.filter(pk=place.pk).update(pause_reason=RESEARCHER, pause_rules=[]))


def lock_account(user: User) -> None:
    """Have whoever makes this person a rater and whoever makes them a member take turns, so that the second
    sees what the first made of them. Before studies and places: docs/rules/locking.md.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _refuse_researcher(study: Study, user: User) -> None:
    """Whoever sees the study on the desk knows the arms and would not judge blind."""
    if Study.objects.for_researcher(user).filter(pk=study.pk).exists():
        raise NotQualified(
            f"“{user.username}” sees this study's arms on the desk, so they cannot judge them blind. Enrol "
            "somebody else, or take them off the study's members first."
        )


def pseudonym(study: Study, name: str) -> str:
    """Always the same for a name in a study; without the installation's secret key nobody can go back."""
    return f"rater-{salted_hmac('rater', f'{study.pk} {name}', algorithm='sha256').hexdigest()[:10]}"


def enrol_imported(study: Study, code: str) -> Enrolment:
    """A rater known only from a file: has judgments, cannot log in."""
    return Enrolment.objects.get_or_create(study=study, code=code)[0]
