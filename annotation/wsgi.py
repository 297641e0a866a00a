"""The WSGI entry point: ``granian --interface wsgi annotation.wsgi:application``."""

import os
import shutil
import tempfile
from pathlib import Path

from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string

from annotation import checks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation.settings")


FOLDER = f"evenhand-counters-{os.getuid()}-"


def forget_the_dead() -> None:
    """Remove the folders of servers that are gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        number = folder.name.removeprefix(FOLDER)
        if number.isdigit() and not Path("/proc", number).exists() and Path("/proc").is_dir():
            shutil.rmtree(folder, ignore_errors=True)


def count_together() -> None:
    """Give the processes of one server a folder in which what they count adds up.

    They are children of one process, whose number names the folder; it goes with the machine's other
    temporary files. Nothing may have imported `annotation.counters` before.
    """
    name = f"{FOLDER}{os.getppid()}"
    forget_the_dead()
    folder = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR") or Path(tempfile.gettempdir(), name))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is somebody else's. Name another in PROMETHEUS_MULTIPROC_DIR.")


class UTF8Request(WSGIRequest):
    """A request whose text is UTF-8, whatever character set it names.

    Django reads the address by a character set named in a header, before anything could answer for an error:
    one that is none, such as `zlib`, would break off the connection.
    """

    def _set_content_type_params(self, meta: dict) -> None:
        named = meta.get("CONTENT_TYPE", "")
        super()._set_content_type_params({"CONTENT_TYPE": named.partition(";")[0]})


STRAIGHT = "annotation.api.straight.Straight"  # it knows models, which are there once Django is set up

count_together()
application = get_wsgi_application()
checks.refuse_wrong_settings()
application.request_class = UTF8Request
application = import_string(STRAIGHT)(application)
