"""Who may see a study at the desk, and change it.

A study that has members has an owner among them: the trigger `membership_keeps_an_owner` refuses the rest,
and the study's lock makes two owners who leave at once take turns.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from annotation.actions import events
from annotation.actions.enrolment import lock_account
from annotation.errors import MemberRefused, NotQualified
from annotation.models import MemberInvitation, Membership, Study, User
from annotation.models.joining import digest
from annotation.vocabulary import EnrolmentState, StudyRole

INVITED_FOR = timedelta(days=14)

NO_OWNER = "The study would have no owner. Make somebody else an owner first."


@transaction.atomic
def add_member(study: Study, user: User, role: StudyRole, actor: User | None = None) -> bool:
    """Let `user` work on the study; False when they are a member already, whose role stays.

    Raises NotQualified for somebody who rates in it.
    """
    lock_account(user)
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


# Invitations -----------------------------------------------------------------------------------------


@transaction.atomic
def invite(
    study: Study, email: str, role: StudyRole, actor: User | None = None, at: datetime | None = None
) -> tuple[MemberInvitation, str]:
    """An invitation to work on the study and its secret, which is nowhere kept.

    It is for whoever holds the secret: whether somebody with this address has an account is not looked up.
    """
    secret = secrets.token_hex(24)
    made = MemberInvitation.objects.create(
        study=study,
        email=email,
        role=role,
        token_digest=digest(secret),
        created_by=actor,
        expires_at=(at or timezone.now()) + INVITED_FOR,
    )
    events.record(study, "invite_member", actor, invitation=made.pk, role=role)
    return made, secret


@transaction.atomic
def accept(invitation: MemberInvitation, user: User, at: datetime | None = None) -> None:
    """Take up an invitation. Raises MemberRefused when somebody has, or NotQualified for who rates in it.

    Who is a member already keeps the higher of the two roles.
    """
    lock_account(user)
    _take_turns(invitation.study)
    waiting = MemberInvitation.objects.filter(
        pk=invitation.pk, accepted_at__isnull=True, expires_at__gt=at or timezone.now()
    )
    if not waiting.update(accepted_at=at or timezone.now(), email=""):
        raise MemberRefused("Somebody has taken up this invitation already.")
    role = StudyRole(invitation.role)
    if not add_member(invitation.study, user, role, user):
        lower = Membership.objects.filter(study=invitation.study, user=user).exclude(role__in=role.and_above)
        lower.update(role=role)
    events.record(invitation.study, "accept_invitation", user, invitation=invitation.pk)


@transaction.atomic
def withdraw_invitation(invitation: MemberInvitation, actor: User | None = None) -> bool:
    """Let nobody take it up any more; False when somebody has."""
    gone, _ = MemberInvitation.objects.filter(pk=invitation.pk, accepted_at__isnull=True).delete()
    if gone:
        events.record(invitation.study, "withdraw_invitation", actor, invitation=invitation.pk)
    return bool(gone)


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
