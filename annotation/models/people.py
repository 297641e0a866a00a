"""Who logs in."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A researcher (`is_staff`) or a rater. What a person may do in a study stands in that study."""
