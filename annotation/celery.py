"""The Celery application. Messages are hints; the rows in the database are the queue."""

import os
import sys
from pathlib import Path

from celery import Celery, bootsteps, signals
from django.core.exceptions import ImproperlyConfigured
from kombu.transport import TRANSPORT_ALIASES

from annotation import checks, file_queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation.settings")

TRANSPORT_ALIASES["filesystem"] = file_queue.NAME
app = Celery("annotation")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()
app.autodiscover_tasks(["annotation"])


@signals.worker_init.connect
@signals.beat_init.connect
def refuse_wrong_settings(**kwargs: object) -> None:
    """Ends the process with a sentence. Celery would only log an exception, and go on."""
    try:
        checks.refuse_wrong_settings()
    except ImproperlyConfigured as error:
        sys.exit(f"Evenhand is not set up correctly: {error}")


class SignsOfLife(bootsteps.StartStopStep):
    """Touches the file of ALIVE_FILE as long as the worker's own loop turns; a probe looks at its age."""

    requires = {"celery.worker.components:Timer"}
    SECONDS = 10

    def __init__(self, worker, **kwargs: object):
        self.file, self.entry = os.environ.get("ALIVE_FILE", ""), None

    def start(self, worker) -> None:
        if self.file:
            Path(self.file).touch()
            self.entry = worker.timer.call_repeatedly(self.SECONDS, Path(self.file).touch)

    def stop(self, worker) -> None:
        if self.entry:
            self.entry.cancel()


app.steps["worker"].add(SignsOfLife)
