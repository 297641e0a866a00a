"""People come into a study: by a link, with their consent, and go when they are done.

docs/joining.md says what a link proves about the person who uses it, and what it does not.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from annotation.access import is_a_guest, skipped_with_room, studies_to_change
from annotation.actions import claims, events
from annotation.actions.enrolment import enrol
from annotation.errors import AlreadyJoined, CapReached, DomainError, JoinRefused, NotQualified
from annotation.models import Arrival, ConsentVersion, Enrolment, InvitationLink, Pair, Study, User
from annotation.models.joining import IMPORTED, digest
from annotation.text import refuse_hidden
from annotation.vocabulary import AppealState, AssignmentState, EnrolmentState

CODE_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is read as another
CODE_GROUPS = 4
CODE_GROUP = 5
GONE = "There is no place left under this link."


@dataclass(frozen=True)
class Visitor:
    """What a platform says about the person, taken from the address: claimed, never proved."""

    person: str = ""
    study: str = ""
    session: str = ""


# Consent ---------------------------------------------------------------------------------------------


@transaction.atomic
def add_consent_version(
    study: Study, body: str, warning: str = "", actor: User | None = None
) -> ConsentVersion:
    """The next wording; every rater is asked for it before their next pair. Raises DomainError if empty."""
    if not body.strip():
        raise DomainError("A consent needs a text that raters agree to.")
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)  # two editors take turns for a number
    last = study.consent_versions.aggregate(last=Max("version"))["last"] or 0
    made = study.consent_versions.create(version=last + 1, body=body.strip(), warning=warning.strip())
    Study.objects.filter(pk=study.pk).update(consent_version=made.version)
    study.consent_version = made.version
    events.record(study, "add_consent_version", actor, version=made.version)
    return made


@transaction.atomic
def give_consent(enrolment: Enrolment, version: int) -> bool:
    """Record that the rater agreed; False when they had already. Raises JoinRefused for an older version."""
    rater = claims.lock_rater(enrolment.pk)
    if version != rater.study.consent_version:
        raise JoinRefused("The text has changed meanwhile. Please read the new one.")
    wording = ConsentVersion.objects.get(study=rater.study, version=version)
    _, is_new = rater.consents.get_or_create(version=wording)
    Enrolment.objects.filter(pk=rater.pk).update(consent_version=version)
    enrolment.consent_version = version
    if is_new:
        events.record_by_rater(rater, "give_consent", version=version)
    return is_new


# Links -----------------------------------------------------------------------------------------------


@transaction.atomic
def make_link(study: Study, label: str, actor: User | None = None, **rules) -> tuple[InvitationLink, str]:
    """A new link and its secret, which is nowhere kept. `rules` are fields of InvitationLink.

    Raises DomainError for a label that cannot be told from others in results.
    """
    refuse_hidden("The label", label)
    if label.strip().lower() == IMPORTED:
        raise DomainError(f"“{label}” is what results call raters of imported files. Choose another label.")
    secret = secrets.token_hex(24)
    link = InvitationLink.objects.create(
        study=study, label=label, token_digest=digest(secret), created_by=actor, **rules
    )
    events.record(study, "make_link", actor, link=link.pk, label=label)
    return link, secret


@transaction.atomic
def revoke_link(link: InvitationLink, actor: User | None = None, at: datetime | None = None) -> bool:
    """Let nobody else in by it; those who came keep their places. False when it was revoked already."""
    open_links = InvitationLink.objects.filter(pk=link.pk, revoked_at__isnull=True)
    revoked = open_links.update(revoked_at=at or timezone.now())
    if revoked:
        events.record(link.study, "revoke_link", actor, link=link.pk)
    return bool(revoked)


def why_closed(link: InvitationLink, at: datetime | None = None) -> str:
    """Why nobody new gets in by the link at the moment, in a sentence; "" when somebody would.

    Asked before anybody is bothered for consent, and again when they join.
    """
    at = at or timezone.now()
    if link.revoked_at or (link.expires_at and link.expires_at <= at):
        return "This link is no longer valid."
    if link.uses_max is not None and link.uses >= link.uses_max:
        return GONE
    if not link.study.is_open:
        return "This study is not open for rating at the moment."
    return "" if _has_work(link.study) else _why_no_work(link.study)


def _has_work(study: Study) -> bool:
    return Pair.objects.filter(study=study).with_open_slot().exists()


def _why_no_work(study: Study) -> str:
    if study.runs.unfinished().exists():
        return "The answers to rate are still being prepared. Please come back later."
    if study.enrolments.filter(assignments__state=AssignmentState.LEASED).exists():
        return "Others are rating all that is left at the moment. Please come back in a while."
    return "Every pair of this study has been rated; nothing is left to do."


# Joining ---------------------------------------------------------------------------------------------


def join(
    link: InvitationLink,
    visitor: Visitor,
    consent_version: int,
    user: User | None = None,
    at: datetime | None = None,
) -> tuple[Enrolment, str]:
    """A place in the study for whoever holds the link, and the code with which they come back.

    `user` is who is logged in; without one, an account without a password is made. Raises AlreadyJoined,
    or JoinRefused when the link, the study or its pairs let nobody in; then nothing is kept.
    """
    code = _return_code()
    try:
        with transaction.atomic():
            return _join(link, visitor, consent_version, user, at or timezone.now(), code), code
    except IntegrityError as error:  # the same person in two windows: the other one was first
        raise AlreadyJoined("You have a place in this study already.") from error


def _join(
    link: InvitationLink, visitor: Visitor, version: int, user: User | None, at: datetime, code: str
) -> Enrolment:
    link.refresh_from_db()
    refuse_visitor(link, visitor)
    if reason := why_closed(link, at):
        raise JoinRefused(reason)
    _take_use(link, at)
    enrolment = enrol(link.study, user or _new_account())
    if enrolment.state != EnrolmentState.ACTIVE:
        raise JoinRefused("Your place in this study is paused.")
    Arrival.objects.create(
        study=link.study,
        link=link,
        enrolment=enrolment,
        person=visitor.person,
        session=visitor.session,
        return_digest=digest(code),
    )
    if version or link.study.consent_version:
        give_consent(enrolment, version)
    events.record_by_rater(enrolment, "join", link=link.pk)
    return enrolment


def refuse_visitor(link: InvitationLink, visitor: Visitor) -> None:
    """Raises JoinRefused or AlreadyJoined where this visitor does not get in by the link."""
    if not link.is_of_platform:
        return
    if not visitor.person:
        raise JoinRefused("Please open this study from the platform that invited you.")
    if link.platform_study and visitor.study != link.platform_study:
        raise JoinRefused("This link belongs to another study on the platform.")
    if link.study.arrivals_by_link.filter(person=visitor.person).exists():
        raise AlreadyJoined("You have a place in this study already.")


def _take_use(link: InvitationLink, at: datetime) -> None:
    """Count one more person, unless the link has none to give."""
    usable = InvitationLink.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=at),
        Q(uses_max__isnull=True) | Q(uses__lt=F("uses_max")),
        pk=link.pk,
        revoked_at__isnull=True,
    )
    if not usable.update(uses=F("uses") + 1):
        raise JoinRefused(GONE)


def _new_account() -> User:
    """An account without a password, under a name that says nothing about the person."""
    name = "guest-" + "".join(secrets.choice(CODE_LETTERS) for _ in range(10))
    return User.objects.create_user(name)


def _return_code() -> str:
    """20 letters and digits: 99 bits, in groups that can be copied by hand."""
    groups = ["".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_GROUP)) for _ in range(CODE_GROUPS)]
    return "-".join(groups)


@transaction.atomic
def new_return_code(arrival: Arrival, actor: User | None = None) -> str:
    """Another code for a guest who lost theirs; the old one opens nothing any more.

    Raises JoinRefused where it would open more than a place in studies that `actor` may change.
    """
    _refuse_more_than_guests(arrival.enrolment, actor)
    code = _return_code()
    Arrival.objects.filter(pk=arrival.pk).update(return_digest=digest(code))
    events.record(arrival.study, "new_return_code", actor, arrival=arrival.pk)
    return code


def _refuse_more_than_guests(place: Enrolment, actor: User | None) -> None:
    if not is_a_guest(place.user):
        raise JoinRefused("No code was made. This person has a log-in, and comes back by that.")
    elsewhere = Enrolment.objects.filter(user=place.user).exclude(study=place.study)
    if actor and elsewhere.exclude(study__in=studies_to_change(actor)).exists():
        raise JoinRefused(
            "No code was made. This person takes part in a study that you may not change, and the code would "
            "open their place there, too. Ask whoever runs this installation."
        )


# Being done ------------------------------------------------------------------------------------------


def is_done(enrolment: Enrolment, at: datetime | None = None) -> bool:
    """Whether the rater has judged something and gets no more: paid people are not kept waiting.

    Pairs that others hold at the moment are not waited for. What they skipped is still theirs to judge or
    decline: nobody is paid for skipping. Somebody who is paused gets no more, unless their appeal may still
    let them go on; what they judged stands until a researcher withdraws it.
    """
    if not enrolment.judged:
        return False
    paused = enrolment.state == EnrolmentState.PAUSED
    if paused and _is_withdrawn(enrolment):
        return False
    if not enrolment.study.is_open:
        return True
    if paused:
        return not enrolment.appeals.filter(state=AppealState.OPEN).exists()
    return not enrolment.assignments.leased().exists() and (
        _is_at_the_end(enrolment, at or timezone.now()) or not _has_more(enrolment)
    )


def _is_withdrawn(enrolment: Enrolment) -> bool:
    """Whether nothing is left of what the rater judged but what a researcher took out of the count."""
    rated = enrolment.assignments.rated()
    withdrawn = rated.filter(state=AssignmentState.WITHDRAWN)
    return withdrawn.exists() and not rated.filter(state=AssignmentState.SUBMITTED).exists()


def _is_at_the_end(enrolment: Enrolment, at: datetime) -> bool:
    try:
        claims.refuse_over_cap(enrolment, at)
    except CapReached as reached:
        return reached.again_at is None
    except NotQualified:
        return False
    return False


def _has_more(enrolment: Enrolment) -> bool:
    open_pairs = Pair.objects.filter(study=enrolment.study_id).with_open_slot()
    to_come = open_pairs.not_taken_by(enrolment).outside(enrolment.opted_out)
    return to_come.exists() or skipped_with_room(enrolment) > 0


@transaction.atomic
def complete(arrival: Arrival, at: datetime | None = None) -> bool:
    """Note when the person was first told that they are done; False when they were before."""
    first = Arrival.objects.filter(pk=arrival.pk, completed_at__isnull=True)
    if not first.update(completed_at=at or timezone.now()):
        return False
    events.record_by_rater(arrival.enrolment, "complete", link=arrival.link_id)
    return True
