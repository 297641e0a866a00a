"""The Celery application. Messages are hints; the rows in the database are the queue."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from annotation import file_queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation.settings")

TRANSPORT_ALIASES["filesystem"] = file_queue.NAME
app = Celery("annotation")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()
app.autodiscover_tasks(["annotation"])
