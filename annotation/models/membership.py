"""Who works on a study at the desk, and as what; and who is invited to."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from annotation.models.study import Study
from annotation.vocabulary import StudyRole


class Membership(models.Model):
    """A person's role in a study. The last owner stays while there are others (trigger
    `membership_keeps_an_owner`); raters have an `Enrolment` instead, because they see no arm.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10, choices=StudyRole.choices)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["study", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["study", "user"], name="membership_once_per_person"),
            models.CheckConstraint(condition=Q(role__in=StudyRole.values), name="membership_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()} of {self.study.slug}"


class MemberInvitation(models.Model):
    """A letter to somebody who may have no account yet. Its secret is kept only as a digest.

    `email` is where the owner sent it, "" once it was taken up: then the account tells who came.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="member_invitations")
    email = models.EmailField(blank=True)
    role = models.CharField(max_length=10, choices=StudyRole.choices)
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["study", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=StudyRole.values), name="member_invitation_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} of {self.study.slug}"
