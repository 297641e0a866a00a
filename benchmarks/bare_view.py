"""A bare Django view, to compare with: two statements; no log-in, validation, audit or blindness.

Its middleware is what `django-admin startproject` gives every project, or none with BARE_MIDDLEWARE=none.

`POST /next?rater=N` takes a slot of the first pair that the rater has not judged, and
`POST /submit?rater=N&pair=M` keeps what was sent. The tables are this file's own: no foreign key, no trigger,
no constraint but unique keys.
"""

import json
import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

TABLES = """
CREATE TABLE IF NOT EXISTS bare_pair (
    id bigserial PRIMARY KEY, place bigint NOT NULL, open_slots smallint NOT NULL, texts jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS bare_pair_open ON bare_pair (place) WHERE open_slots > 0;
CREATE TABLE IF NOT EXISTS bare_judgment (
    id bigserial PRIMARY KEY, pair bigint NOT NULL, rater bigint NOT NULL, answers jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), UNIQUE (pair, rater)
);
"""
NEXT = """
UPDATE bare_pair SET open_slots = open_slots - 1 WHERE id = (
    SELECT id FROM bare_pair p WHERE open_slots > 0 AND NOT EXISTS (
        SELECT FROM bare_judgment j WHERE j.pair = p.id AND j.rater = %s
    ) ORDER BY place LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id, texts
"""
SUBMIT = "INSERT INTO bare_judgment (pair, rater, answers) VALUES (%s, %s, %s) RETURNING id"


APPS = ["auth", "contenttypes", "sessions", "messages"]
APPS = [f"django.contrib.{name}" for name in APPS]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]


@csrf_exempt
def next_pair(request: HttpRequest) -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute(NEXT, [int(request.GET["rater"])])
        pair, texts = cursor.fetchone()
    return _reply({"id": pair, "texts": texts})


@csrf_exempt
def submit(request: HttpRequest) -> JsonResponse:
    given = [int(request.GET["pair"]), int(request.GET["rater"]), json.dumps(json.loads(request.body))]
    with connection.cursor() as cursor:
        cursor.execute(SUBMIT, given)
        (judgment,) = cursor.fetchone()
    return _reply({"id": judgment}, status=201)


def _reply(told: dict, status: int = 200) -> JsonResponse:
    """With its length, as CommonMiddleware would say it: without one a connection cannot be kept."""
    reply = JsonResponse(told, status=status)
    reply["Content-Length"] = len(reply.content)
    return reply


urlpatterns = [path("next", next_pair), path("submit", submit)]


def application_for(url: str):
    """The WSGI application, with Django's own connection pool as the product uses it."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import dj_database_url

    database = dj_database_url.parse(url, conn_max_age=0)
    database["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 8, "timeout": 20}}
    settings.configure(
        ROOT_URLCONF=__name__,
        DATABASES={"default": database},
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="benchmark",
        INSTALLED_APPS=APPS,
        MIDDLEWARE=[] if os.environ.get("BARE_MIDDLEWARE") == "none" else MIDDLEWARE,
    )
    django.setup()
    return get_wsgi_application()


if "BARE_DATABASE_URL" in os.environ:
    application = application_for(os.environ["BARE_DATABASE_URL"])
