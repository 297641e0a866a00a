"""Settings of a worker process that a test starts: the test's database, and a queue of its own."""

import json
import os
from pathlib import Path

from annotation.settings import broker_options, make_exchanges
from tests.settings import *  # noqa: F403
from tests.settings import CELERY_BEAT_SCHEDULE, DATABASES

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE_NAME"]

CELERY_BROKER_URL = os.environ["CELERY_BROKER_URL"]
FOLDER = Path(os.environ["TEST_BROKER_FOLDER"])
make_exchanges(FOLDER)
CELERY_BROKER_TRANSPORT_OPTIONS = broker_options(CELERY_BROKER_URL, FOLDER)
CELERY_BROKER_TRANSPORT_OPTIONS |= json.loads(os.environ["TEST_BROKER_OPTIONS"])

# The promises hold for any length of time; short ones let a test watch a lease lapse.
BATCH_LEASE_SECONDS = 2
HINT_EXPIRES_SECONDS = 2
for entry in CELERY_BEAT_SCHEDULE.values():
    entry["schedule"] = 1
    entry["options"]["expires"] = 2
