"""Accounts that a study's editors make for raters they know: a name, and a link to choose a password by."""

from allauth.account import app_settings
from allauth.account.utils import user_pk_to_url_str
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from annotation.actions import events
from annotation.actions.enrolment import enrol
from annotation.errors import MemberRefused
from annotation.models import Enrolment, Study, User
from annotation.text import refuse_hidden


@transaction.atomic
def make_rater(study: Study, username: str, actor: User | None = None) -> Enrolment:
    """An account without rights and without a password yet, with a place in the study.

    Raises MemberRefused for a name that is taken, in whatever case, or none. What the record keeps is the
    rater's code: a name could not be forgotten there.
    """
    refuse_hidden("The name", username)
    user = User(username=username.strip())
    user.set_unusable_password()
    try:
        user.full_clean()
        if User.objects.filter(username__iexact=user.username).exists():
            raise MemberRefused(f"Somebody is called “{user.username}” already.")
        with transaction.atomic():
            user.save()
    except ValidationError as error:
        raise MemberRefused(" ".join(error.messages)) from error
    except IntegrityError as error:
        raise MemberRefused(f"Somebody is called “{user.username}” already.") from error
    place = enrol(study, user, actor)
    events.record(study, "make_account", actor, rater=place.code)
    return place


def renew_link(rater: Enrolment, actor: User | None = None) -> None:
    """Let `password_key` of a rater be told again. Raises MemberRefused once they chose a password."""
    if not awaits_password(rater):
        raise MemberRefused("This account's password was chosen, or is not chosen here. It is its owner's.")
    events.record(rater.study, "renew_account_link", actor, rater=rater.code)


def awaits_password(rater: Enrolment) -> bool:
    """Whether the account was made by `make_rater` and nobody has come to it yet."""
    user = rater.user
    return (
        user is not None
        and user.is_active
        and not (user.is_staff or user.is_superuser or user.has_usable_password() or user.last_login)
        and was_made_for(rater)
    )


def was_made_for(rater: Enrolment) -> bool:
    """Whether the account was made by `make_rater`, for this place."""
    return rater.study.events.filter(verb="make_account", detail__rater=rater.code).exists()


def password_key(user: User) -> tuple[str, str]:
    """What opens the page on which a password is chosen: once, and for settings.PASSWORD_RESET_TIMEOUT."""
    return user_pk_to_url_str(user), app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
