"""Settings. Everything works without configuration; docs/deploying.md lists the variables.

Everything mutable lies under ``VAR`` (``var/``, or the folder named in ``EVENHAND_VAR``).
"""

import os
import secrets
from importlib.util import find_spec
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("EVENHAND_VAR") or BASE_DIR / "var").resolve()


def _flag(name: str, default: str = "0") -> bool:
    """A variable as yes or no: 1, true, yes and on are yes."""
    return os.environ.get(name, default).strip().lower() in {"1", "true", "yes", "on"}


def _words(name: str, default: str = "") -> list[str]:
    """A variable as a list, separated by commas."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def _make_folders(*names: str) -> None:
    """Make the folders under VAR; they hold answers and sessions, so only their owner may look inside."""
    try:
        for folder in (VAR, *(VAR / name for name in names)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"Cannot make the folder {error.filename}: {error.strerror}. "
            "Give it to the user who runs Evenhand, or name another folder in EVENHAND_VAR."
        ) from error


def _create_once(path: Path, text: str) -> None:
    """Make the file with this text unless it is there, readable by its owner alone.

    It is written elsewhere first and linked into place, so that several processes that start together agree
    on one text and none of them reads half of it.
    """
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _secret_key() -> str:
    """``SECRET_KEY``, or a key generated once and kept in ``var/secret_key``."""
    if key := os.environ.get("SECRET_KEY"):
        return key
    _create_once(VAR / "secret_key", secrets.token_urlsafe(48))
    return (VAR / "secret_key").read_text().strip()


_make_folders(
    "broker/messages",
    "broker/control",
    "figures",
    "imports",
    "log",
    "media",
    "reports",
    "snapshots",
    "static",
    "trainings",
)

SECRET_KEY = _secret_key()
DEBUG = _flag("DEBUG")
HOST = os.environ.get("HOST", "127.0.0.1")  # where `make run` listens; 0.0.0.0 and :: are every name it has
LOOPBACK = "localhost,127.0.0.1,[::1]"
ALLOWED_HOSTS = _words("ALLOWED_HOSTS", "*" if HOST in ("0.0.0.0", "::") else LOOPBACK)
# It looks for its own first page, so that address is allowed whatever else is.
ALLOWED_HOSTS += LOOPBACK.split(",") if HOST in ("0.0.0.0", "::") else [f"[{HOST}]" if ":" in HOST else HOST]
CSRF_TRUSTED_ORIGINS = _words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "annotation",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "rest_framework",
    "rest_framework.authtoken",
]

MIDDLEWARE = [
    "annotation.api.rating.StraightMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "annotation.rate.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "annotation.urls"
WSGI_APPLICATION = "annotation.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Databases ------------------------------------------------------------------------------------------

SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": VAR / "evenhand.sqlite3",
    "OPTIONS": {
        # IMMEDIATE takes the write lock when the transaction begins: a lock taken half-way through
        # cannot wait its turn and fails at once with "database is locked".
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    },
}


def _postgres(url: str) -> dict:
    """The settings for a ``postgres://`` URL, with Django's own connection pool."""
    try:
        database = dj_database_url.parse(url, conn_max_age=0)
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error} {_URL_HINT}") from error
    if database.get("ENGINE") != "django.db.backends.postgresql" or not database.get("NAME"):
        raise ImproperlyConfigured(f"DATABASE_URL does not name a PostgreSQL database. {_URL_HINT}")
    database.setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": 8, "timeout": 20}
    return database


_URL_HINT = (
    "Write it as postgres://USER:PASSWORD@HOST:PORT/NAME (special characters percent-encoded), "
    "or leave it out to use SQLite."
)

DATABASES = {"default": _postgres(os.environ["DATABASE_URL"]) if os.environ.get("DATABASE_URL") else SQLITE}

# People ---------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "annotation.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# Language and time ----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# Files ----------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [folder for folder in [BASE_DIR / "static"] if folder.is_dir()]
MEDIA_ROOT = VAR / "media"
SNAPSHOTS = VAR / "snapshots"
DATASETS = VAR / "datasets"
REPORTS = VAR / "reports"
TRAININGS = VAR / "trainings"
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # Drawn figures, named by the digest of the numbers in them, for all processes of this machine.
    "figures": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR / "figures",
        "TIMEOUT": None,
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    },
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# What a browser may do -------------------------------------------------------------------------------

# htmx comes from our own address, so scripts need no nonce; its one inline style is switched off in the
# page (`includeIndicatorStyles: false`).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = "Lax"
HTTPS = _flag("HTTPS")  # set it when a proxy in front speaks HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None

REST_FRAMEWORK = {
    # The token first: its challenge makes a missing log-in a 401.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "annotation.api.parsers.StrictJSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "EXCEPTION_HANDLER": "annotation.api.errors.handle",
}

# The queue ------------------------------------------------------------------------------------------

BROKER_FOLDER = VAR / "broker"


def make_exchanges(folder: Path) -> None:
    """Make the filesystem queue's exchanges in `folder`, bound to nothing yet.

    The transport would make each as an empty file and then fill it; a worker or beat that starts beside it
    reads the empty file, and ends.
    """
    for name in ("default", "gpu", "train", "celery.pidbox", "reply.celery.pidbox"):
        _create_once(folder / "control" / f"{name}.exchange", "[]")


def broker_options(url: str, folder: Path = BROKER_FOLDER) -> dict:
    """What the transport of this URL needs to know."""
    if url.startswith("filesystem://"):
        return {
            # One folder for both directions: sender and worker are on the same machine.
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
            "polling_interval": 0.05,
        }
    if url.startswith(("redis://", "rediss://")):
        return {
            # Redis delivers a message again that was not finished after so many seconds. For a run that is
            # harmless, since a batch's claim lets one worker in; a snapshot would be frozen twice.
            "visibility_timeout": 3600,
            # Without one, a page that sends a hint to a host that is down hangs for minutes.
            "socket_connect_timeout": 4,
            "socket_keepalive": True,
        }
    return {}


CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL") or "filesystem://localhost//"
CELERY_BROKER_TRANSPORT_OPTIONS = broker_options(CELERY_BROKER_URL)
make_exchanges(BROKER_FOLDER)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_ROUTES = {
    "annotation.tasks.generate_batch": {"queue": "gpu"},
    "annotation.tasks.dry_run": {"queue": "gpu"},
    "annotation.tasks.grade_batch": {"queue": "gpu"},
    "annotation.tasks.train": {"queue": "train"},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "beat-schedule")
# Each message expires before the next one is due: a worker that comes back throws the old ones away unread.
CELERY_BEAT_SCHEDULE = {
    "requeue-stale": {"task": "annotation.tasks.requeue_stale", "schedule": 10, "options": {"expires": 9}},
    "note-worker-default": {
        "task": "annotation.tasks.note_worker",
        "schedule": 10,
        "args": ["default"],
        "options": {"expires": 9, "queue": "default"},
    },
    "note-worker-gpu": {
        "task": "annotation.tasks.note_worker",
        "schedule": 10,
        "args": ["gpu"],
        "options": {"expires": 9, "queue": "gpu"},
    },
    "apply-quality-rules": {
        "task": "annotation.tasks.apply_quality_rules",
        "schedule": 300,
        "options": {"expires": 290},
    },
    "release-expired-leases": {
        "task": "annotation.tasks.release_expired_leases",
        "schedule": 30,
        "options": {"expires": 29},
    },
}
# Where nothing trains, no message is left in a queue that nobody reads.
TRAINS = _flag("TRAIN", "1" if find_spec("trl") and find_spec("datasets") else "0")
if TRAINS:
    CELERY_BEAT_SCHEDULE["note-worker-train"] = {
        "task": "annotation.tasks.note_worker",
        "schedule": 10,
        "args": ["train"],
        "options": {"expires": 9, "queue": "train"},
    }

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}

# No page keeps a file but the one that names its own handlers (`desk.imports`): anybody may send one to any.
FILE_UPLOAD_HANDLERS = ["annotation.uploads.NoUpload"]
# Files that come in: the largest upload, and what a packed file may unpack to, in bytes.
IMPORT_MOST_UPLOADED = int(os.environ.get("IMPORT_MOST_UPLOADED") or 2_000_000_000)
IMPORT_MOST_UNPACKED = int(os.environ.get("IMPORT_MOST_UNPACKED") or 20_000_000_000)
IMPORTS = VAR / "imports"

# The hub's address; empty for its own. Its older way to transfer files is plain HTTP, which tests can stand
# in for and proxies know; HF_HUB_DISABLE_XET=0 takes the newer one.
HUB_ENDPOINT = os.environ.get("HF_ENDPOINT", "")
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

# How long a batch waits for a silent worker before the beat queues it again; a living one renews it.
BATCH_LEASE_SECONDS = int(os.environ.get("BATCH_LEASE_SECONDS") or 60)
HINT_EXPIRES_SECONDS = 9
WORKER_SILENT_SECONDS = 45  # after this the desk says that no worker is alive
