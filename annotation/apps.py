"""The one Django app; it owns every table."""

from django.apps import AppConfig

# Imported for what they do on import: every process that only sends tasks (web server, commands) shares the
# queue's configuration, and the checks register themselves.
from annotation import celery, checks  # noqa: F401


class AnnotationConfig(AppConfig):
    name = "annotation"
    verbose_name = "Evenhand"
    default_auto_field = "django.db.models.BigAutoField"
