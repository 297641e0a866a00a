"""Settings of the test suite: the product's own, with a folder of its own for everything mutable."""

import atexit
import os
import shutil
import tempfile

# The product reads EVENHAND_VAR when it is imported, so the folder is made first. A process that a test
# starts inherits the variable and shares the folder; only the process that made it removes it.
if "EVENHAND_TEST_VAR" not in os.environ:
    folder = tempfile.mkdtemp(prefix="evenhand-tests-")
    os.environ["EVENHAND_TEST_VAR"] = os.environ["EVENHAND_VAR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

# Several test processes side by side (`pytest -n`): each has a folder inside the first one's, and so a
# database and a queue of its own. What a test starts there inherits both names, and stays in that folder.
side_by_side = os.environ.get("PYTEST_XDIST_WORKER", "")
if os.environ.get("EVENHAND_TEST_PROCESS", "") != side_by_side:
    os.environ["EVENHAND_TEST_PROCESS"] = side_by_side
    os.environ["EVENHAND_VAR"] = os.path.join(os.environ["EVENHAND_TEST_VAR"], side_by_side)

os.environ.setdefault("MODEL_PRIVATE_HOSTS", "127.0.0.1,localhost")  # where tests serve models
for rate in ("API_RATE", "API_RATE_ANONYMOUS", "API_RATE_RATERS"):
    os.environ.setdefault(rate, "")  # tests are in a hurry

from annotation.settings import *  # noqa: E402, F403
from annotation.settings import DATABASES, STORAGES, VAR  # noqa: E402

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not :memory:, because threads and child processes open it too.
    DATABASES["default"]["TEST"] = {"NAME": VAR / "test.sqlite3"}

# Pages can be drawn without collecting the static files first.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, and nothing here is secret
SECRET_KEY = "nothing is secret here, and what is drawn by it is the same at every run"
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {}
