"""Who logs in."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A researcher (`is_staff`: makes studies) or a rater. What they may do in a study stands in that study.

    Of somebody who was forgotten (`actions.people.forget_person`) the row is left, as others point at it.
    """

    forgotten_at = models.DateTimeField(null=True, editable=False)


class RaterSettings(models.Model):
    """How a person likes the rating page, on every device.

    `keys` maps an action to the key the person chose for it, "" for none; others keep their default.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="rater_settings"
    )
    single_keys = models.BooleanField(default=True)
    keys = models.JSONField(default=dict, blank=True)
    blur_everything = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "rater settings"

    def __str__(self) -> str:
        return f"settings of {self.user}"
