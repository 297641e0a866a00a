"""Settings of a worker process that a test starts: the test's database, and a queue of its own."""

import os
from pathlib import Path

from tests.settings import *  # noqa: F403
from tests.settings import CELERY_BEAT_SCHEDULE, DATABASES

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE_NAME"]

CELERY_BROKER_URL = os.environ["CELERY_BROKER_URL"]
if CELERY_BROKER_URL == "filesystem://":
    FOLDER = Path(os.environ["TEST_BROKER_FOLDER"])
    for part in ("messages", "control"):
        (FOLDER / part).mkdir(exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(FOLDER / "messages"),
        "data_folder_out": str(FOLDER / "messages"),
        "control_folder": str(FOLDER / "control"),
        "polling_interval": 0.05,
    }

# The promises hold for any length of time; short ones let a test watch a lease lapse.
BATCH_LEASE_SECONDS = 2
HINT_EXPIRES_SECONDS = 2
for entry in CELERY_BEAT_SCHEDULE.values():
    entry["schedule"] = 1
    entry["options"]["expires"] = 2
