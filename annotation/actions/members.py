"""Who may see a study at the desk, and change it.

A study that has members has an owner among them: the trigger `membership_keeps_an_owner` refuses the rest,
and the study's lock makes two owners who leave at once take turns.
"""

from collections.abc import Iterable

from django.db import transaction

from annotation.actions import events
from annotation.errors import MemberRefused, NotQualified
from annotation.models import Membership, Study, User
from annotation.vocabulary import EnrolmentState, StudyRole

NO_OWNER = "The study would have no owner. Make somebody else an owner first."


@transaction.atomic
def add_member(study: Study, user: User, role: StudyRole, actor: User | None = None) -> bool:
    """Let `user` work on the study; False when they are a member already, whose role stays.

    Raises NotQualified for somebody who rates in it.
    """
    _take_turns(study)
    refuse_raters(study, [user])
    _, is_new = Membership.objects.get_or_create(study=study, user=user, defaults={"role": role})
    if is_new:
        events.record(study, "add_member", actor, member=user.pk, role=role)
    return is_new


@transaction.atomic
def set_role(study: Study, user: User, role: StudyRole, actor: User | None = None) -> bool:
    """Give a member another role; False when it is theirs. Raises MemberRefused for the last owner."""
    _take_turns(study)
    if role != StudyRole.OWNER:
        _refuse_last_owner(study, user)
    changed = Membership.objects.filter(study=study, user=user).exclude(role=role).update(role=role)
    if changed:
        events.record(study, "set_role", actor, member=user.pk, role=role)
    return bool(changed)


@transaction.atomic
def remove_member(study: Study, user: User, actor: User | None = None) -> bool:
    """Take the study off a member's desk; False for who is none. Raises MemberRefused for the last owner."""
    _take_turns(study)
    _refuse_last_owner(study, user)
    removed, _ = Membership.objects.filter(study=study, user=user).delete()
    if removed:
        events.record(study, "remove_member", actor, member=user.pk)
    return bool(removed)


def refuse_raters(study: Study, people: Iterable[User]) -> None:
    """Raises NotQualified when one of them rates in the study: who sees its arms does not judge blind."""
    rates = (
        study.enrolments.filter(user__in=people, state=EnrolmentState.ACTIVE).select_related("user").first()
    )
    if rates:
        raise NotQualified(
            f"“{rates.user.username}” rates in this study and would see its arms on the desk. Pause their "
            "place in it first."
        )


def _take_turns(study: Study) -> None:
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)


def _refuse_last_owner(study: Study, user: User) -> None:
    owners = list(study.memberships.filter(role=StudyRole.OWNER).values_list("user", flat=True))
    if owners == [user.pk]:
        raise MemberRefused(NO_OWNER)
