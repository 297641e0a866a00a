"""A person is forgotten: what tells who they are goes, and what they judged stays under their code.

docs/people.md lists what goes and what stays. Snapshots know raters by codes alone: none changes.
"""

import secrets
from collections.abc import Iterator
from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from annotation.actions import accounts, claims, events
from annotation.errors import MemberRefused
from annotation.models import (
    ApiToken,
    Arrival,
    Draft,
    Enrolment,
    KeptReply,
    MemberInvitation,
    Membership,
    RaterSettings,
    Study,
    User,
)
from annotation.vocabulary import AssignmentState, EnrolmentState, StudyRole

ACCOUNT = (
    *("username", "first_name", "last_name", "email", "password", "last_login", "forgotten_at"),
    *("is_active", "is_staff", "is_superuser"),
)
FORGOTTEN = "This person was forgotten at their wish."
EMPTIED = "[The person was forgotten.]"
LAST_OWNER = (
    "“{title}” would have no owner while others work on it. Make one of them an owner first, or remove them."
)
LAST_ADMINISTRATOR = "Nobody else administers this Evenhand. Make somebody else a superuser first."


@transaction.atomic
def forget_person(user: User, actor: User | None = None, at: datetime | None = None) -> bool:
    """Empty everything that tells who `user` is, and let them in no more; False when that was done before.

    Judgments stay, under the rater's code. Each study in which they had a part records it. Raises
    MemberRefused for the last owner of a study that others work on, and for the last administrator.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if user.forgotten_at:
        return False
    _refuse_last(user)
    old_name, old_email = user.username, user.email
    _leave_desk(user, actor)  # studies are locked before raters: docs/rules/locking.md
    for place in Enrolment.objects.filter(user=user).order_by("pk"):
        _leave_study(place, actor)
    _empty_belongings(user, old_name, old_email)
    _empty_account(user, at or timezone.now())
    LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk)
    ).update(object_repr=user.username)
    return True


def _refuse_last(user: User) -> None:
    administrators = User.objects.filter(is_superuser=True, is_active=True)
    if user.is_superuser and not administrators.exclude(pk=user.pk).exists():
        raise MemberRefused(LAST_ADMINISTRATOR)
    for owned in Membership.objects.filter(user=user, role=StudyRole.OWNER).select_related("study"):
        others = Membership.objects.filter(study=owned.study_id).exclude(user=user)
        if others.exists() and not others.filter(role=StudyRole.OWNER).exists():
            raise MemberRefused(LAST_OWNER.format(title=owned.study.title))


def _leave_study(place: Enrolment, actor: User | None) -> None:
    """What the rater holds goes back to the queue; what a platform called them is emptied."""
    rater = claims.lock_rater(place.pk)
    for held in rater.assignments.leased():
        claims.free_slot(held, AssignmentState.EXPIRED)
    Draft.objects.filter(assignment__enrolment=rater).delete()
    rater.appeals.update(text=EMPTIED)
    Arrival.objects.filter(enrolment=rater).update(person="", session="", return_digest=secrets.token_hex(32))
    Enrolment.objects.filter(pk=rater.pk).update(
        state=EnrolmentState.PAUSED, pause_reason=FORGOTTEN, pause_rules=[], opted_out=[]
    )
    events.record(rater.study, "forget_person", actor, rater=rater.code)


def _leave_desk(user: User, actor: User | None) -> None:
    for study in Study.objects.filter(memberships__user=user).order_by("pk"):
        Study.objects.select_for_update(no_key=True).get(pk=study.pk)
        Membership.objects.filter(study=study, user=user).delete()
        events.record(study, "forget_person", actor, member=user.pk)


def _empty_belongings(user: User, old_name: str, old_email: str) -> None:
    """Everything that only this person uses, and what was noted about their log-ins."""
    for table in (RaterSettings, ApiToken, KeptReply, EmailAddress, Authenticator, SocialAccount):
        table.objects.filter(user=user).delete()
    for table in (AccessAttempt, AccessFailureLog, AccessLog):
        table.objects.filter(username__iexact=old_name).delete()  # they are noted in lower case
    if old_email:
        MemberInvitation.objects.filter(email__iexact=old_email).delete()
    Session.objects.filter(pk__in=list(_sessions_of(user))).delete()


def _sessions_of(user: User) -> Iterator[str]:
    """Sessions do not say whose they are until they are read, so all that still hold are."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator(chunk_size=500):
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            yield session.pk


def _empty_account(user: User, at: datetime) -> None:
    user.username = f"forgotten-{secrets.token_hex(8)}"
    user.first_name = user.last_name = user.email = ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.last_login = None
    user.forgotten_at = at
    user.set_unusable_password()
    user.groups.clear()
    user.user_permissions.clear()
    user.save(update_fields=ACCOUNT)


def takes_part_elsewhere(user: User, study: Study) -> bool:
    """Whether somebody is more than a rater of this one study, so that its owner cannot decide for them."""
    return (
        user.is_staff
        or user.is_superuser
        or Membership.objects.filter(user=user).exists()
        or Enrolment.objects.filter(user=user).exclude(study=study).exists()
    )


def came_into(rater: Enrolment) -> bool:
    """Whether the person had a part in the study, or their account was made for it.

    Anybody who makes studies may enrol a name, which gives them no say in whether the account goes on.
    """
    return (
        Arrival.objects.filter(enrolment=rater).exists()
        or rater.consents.exists()
        or rater.assignments.exists()
        or accounts.was_made_for(rater)
    )
