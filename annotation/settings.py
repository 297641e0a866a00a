"""Settings. Everything works without configuration; docs/deploying.md lists the variables.

Everything mutable lies under ``VAR`` (``var/``, or the folder named in ``EVENHAND_VAR``).
"""

import os
import secrets
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from annotation import environment

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(environment.text("EVENHAND_VAR", str(BASE_DIR / "var"))).resolve()


def _mail(url: str) -> tuple[str, int, str, str, bool, bool]:
    """Host, port, user, password, TLS from the start, STARTTLS: what a mail server's URL says."""
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    try:
        found = urlsplit(url)
        host, port = found.hostname, found.port
    except ValueError:
        host, port = None, None
    if not host or found.scheme not in ports:
        raise ImproperlyConfigured(
            "EMAIL_URL cannot be read. Write it as smtps://USER:PASSWORD@HOST:PORT (or smtp+tls://, or "
            "smtp:// for a server on this machine; special characters percent-encoded), or leave it out to "
            "send no mail."
        )
    user, password = unquote(found.username or ""), unquote(found.password or "")
    tls = (found.scheme == "smtps", found.scheme == "smtp+tls")
    return host, port or ports[found.scheme], user, password, *tls


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


def _kept_key() -> str:
    """A key generated once and kept in ``var/secret_key``."""
    _create_once(VAR / "secret_key", secrets.token_urlsafe(48))
    return (VAR / "secret_key").read_text().strip()


_make_folders(
    "archives",
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

SECRET_KEY = environment.secret("SECRET_KEY")
SECRET_KEY_WAS_GIVEN = bool(SECRET_KEY)
SECRET_KEY = SECRET_KEY or _kept_key()
DEBUG = environment.flag("DEBUG")
HTTPS = environment.flag("HTTPS")  # set it when a proxy in front speaks HTTPS
HOST = environment.text("HOST", "127.0.0.1")  # where `make run` listens; 0.0.0.0 and :: are every name it has
LOOPBACK = "localhost,127.0.0.1,[::1]"
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", "*" if HOST in ("0.0.0.0", "::") else LOOPBACK)
# It looks for its own first page, so that address is allowed whatever else is.
ALLOWED_HOSTS += LOOPBACK.split(",") if HOST in ("0.0.0.0", "::") else [f"[{HOST}]" if ":" in HOST else HOST]
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "annotation",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.humanize",  # a template of allauth says times with it
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "axes",
]

MIDDLEWARE = [
    "annotation.watch.middleware.WatchMiddleware",
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
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
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
    options = database.setdefault("OPTIONS", {})
    options["pool"] = {"min_size": 1, "max_size": 8, "timeout": 20}
    options["application_name"] = f"evenhand {os.getpid()}"  # who it is, in PostgreSQL's list of sessions
    return database


_URL_HINT = (
    "Write it as postgres://USER:PASSWORD@HOST:PORT/NAME (special characters percent-encoded), "
    "or leave it out to use SQLite."
)

database_url = environment.secret("DATABASE_URL")
DATABASES = {"default": _postgres(database_url) if database_url else SQLITE}

# People ---------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "annotation.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses before anybody looks at a password
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# Sign-in: docs/people.md. Nobody makes an account of their own unless SIGN_UP says so.
SIGN_UP = environment.flag("SIGN_UP")
CONTACT = environment.text("CONTACT")  # whom the log-in pages name for help
ACCOUNT_ADAPTER = "annotation.accounts.adapters.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "annotation.accounts.adapters.ProviderAdapter"
ACCOUNT_FORMS = {"login": "annotation.accounts.forms.LoginForm"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_REDIRECT_URL = LOGOUT_REDIRECT_URL
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ALLAUTH_TRUSTED_PROXY_COUNT = environment.number("TRUSTED_PROXIES", 1 if HTTPS else 0, 0, 10**9)
# Codes of the second step are limited by `login_failed` too; passwords have been stopped before, see AXES.
ACCOUNT_RATE_LIMITS = {"login_failed": "30/m/ip,10/5m/key"}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Evenhand"
# Without HTTPS a browser offers passkeys at http://localhost alone, so that is all this allows.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS

# An organisation's own log-in, by OpenID Connect.
OIDC_ISSUER = environment.text("OIDC_ISSUER")
OIDC_CLIENT_ID = environment.text("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = environment.secret("OIDC_CLIENT_SECRET")
OIDC_NAME = environment.text("OIDC_NAME", "your organisation")
OIDC_NEW_ACCOUNTS = environment.text("OIDC_NEW_ACCOUNTS", "member").lower()
OIDC_ID = "organisation"  # stands in the address that the provider sends people back to
OIDC = bool(OIDC_ISSUER and OIDC_CLIENT_ID and OIDC_CLIENT_SECRET)
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_AUTO_SIGNUP = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # an address proves nothing about an account that is here already
# A link, not a form: browsers would hold a form's way through the provider's pages against `form-action`.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": OIDC_ID,
                "name": OIDC_NAME,
                "client_id": OIDC_CLIENT_ID,
                "secret": OIDC_CLIENT_SECRET,
                "settings": {"server_url": OIDC_ISSUER},
            }
        ]
        if OIDC
        else [],
    }
}

# Guessing: so many wrong passwords for a name from one address, and it waits. Counted in the database, for
# all processes; `manage.py axes_reset_username NAME` lets somebody in again.
AXES_FAILURE_LIMIT = environment.number("LOGIN_FAILURES", 5, 0, 10**9)
AXES_COOLOFF_TIME = timedelta(minutes=environment.number("LOGIN_LOCK_MINUTES", 15, 0, 10**9))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # so that nobody locks out somebody elsewhere
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # who logged in from where is nobody's business here
AXES_CLIENT_IP_CALLABLE = "annotation.accounts.adapters.client_ip"
AXES_LOCKOUT_CALLABLE = "annotation.accounts.adapters.locked_out"
AXES_USERNAME_CALLABLE = "annotation.accounts.adapters.name_tried"
AXES_VERBOSE = False

# A log-in lasts until the browser is closed, or so long where somebody asked to stay logged in.
SESSION_COOKIE_AGE = environment.number("SESSION_HOURS", 14 * 24, 0, 10**9) * 3600
SESSION_COOKIE_HTTPONLY = True

# Mail: password resets and invitations. Without EMAIL_URL none is sent, and pages say whom to ask.
EMAIL_URL = environment.secret("EMAIL_URL")
SENDS_MAIL = bool(EMAIL_URL)
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
EMAIL_TIMEOUT = 10
if SENDS_MAIL:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD, EMAIL_USE_SSL, EMAIL_USE_TLS = _mail(
        EMAIL_URL
    )
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "evenhand@localhost")
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Evenhand: "

# Language and time ----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# Files ----------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = Path(environment.text("STATIC_ROOT", str(VAR / "static")))
STATICFILES_DIRS = [folder for folder in [BASE_DIR / "static"] if folder.is_dir()]
MEDIA_ROOT = VAR / "media"
SNAPSHOTS = VAR / "snapshots"
DATASETS = VAR / "datasets"
ARCHIVES = VAR / "archives"  # snapshots and datasets as ZIP, made when fetched; may be removed at any time
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
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
# A browser that was here once asks for this name by HTTPS alone, for a year; HSTS_SECONDS=0 takes it back.
SECURE_HSTS_SECONDS = environment.number("HSTS_SECONDS", 31_536_000, 0, 10**9) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
# To be on browsers' own lists is for the owner of a whole domain to decide, not for a site below it.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

REST_FRAMEWORK = {
    # The token first: its challenge makes a missing log-in a 401.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "annotation.api.tokens.ScopedTokens",
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
    "DEFAULT_SCHEMA_CLASS": "annotation.api.schema.Described",
    "DEFAULT_PAGINATION_CLASS": "annotation.api.paging.Pages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    # How often one person may ask, by each web process; "none" is without limit.
    "DEFAULT_THROTTLE_RATES": {
        "user": environment.rate("API_RATE", "1200/min"),
        "anon": environment.rate("API_RATE_ANONYMOUS", "120/min"),
        "rater": environment.rate("API_RATE_RATERS", "6000/min"),
    },
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Evenhand",
    "DESCRIPTION": "Everything a researcher can do, and a rater, over JSON. docs/api.md is the way in.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": ["annotation.api.schema.complete"],
}

# Private hosts that webhooks may go to, by name, address or network, with commas between them.
WEBHOOK_PRIVATE_HOSTS = environment.text("WEBHOOK_PRIVATE_HOSTS")

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


CELERY_BROKER_URL = environment.secret("CELERY_BROKER_URL", "filesystem://localhost//")
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
    "annotation.tasks.try_arm": {"queue": "gpu"},
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
    "seal-events": {"task": "annotation.tasks.seal_events", "schedule": 60, "options": {"expires": 55}},
    "send-deliveries": {
        "task": "annotation.tasks.send_deliveries",
        "schedule": 10,
        "options": {"expires": 9},
    },
    "drop-old-replies": {
        "task": "annotation.tasks.drop_old_replies",
        "schedule": 3600,
        "options": {"expires": 3500},
    },
    "release-expired-leases": {
        "task": "annotation.tasks.release_expired_leases",
        "schedule": 30,
        "options": {"expires": 29},
    },
}
# Where nothing trains, no message is left in a queue that nobody reads.
TRAINS = environment.flag("TRAIN", bool(find_spec("trl") and find_spec("datasets")))
if TRAINS:
    CELERY_BEAT_SCHEDULE["note-worker-train"] = {
        "task": "annotation.tasks.note_worker",
        "schedule": 10,
        "args": ["train"],
        "options": {"expires": 9, "queue": "train"},
    }

# Who looks after it ---------------------------------------------------------------------------------

# Whoever sends it may read /metrics; without one, only this machine may.
METRICS_TOKEN = environment.secret("METRICS_TOKEN")
LOG_FORMAT = environment.one_of("LOG_FORMAT", ["text", "json"])
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"who": {"()": "annotation.watch.logs.Who"}},
    "formatters": {
        "text": {"()": "annotation.watch.logs.TextFormatter"},
        "json": {"()": "annotation.watch.logs.JSONFormatter"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["who"]},
    },
    "root": {
        "handlers": ["stderr"],
        "level": environment.one_of("LOG_LEVEL", ["info", "debug", "warning", "error"]).upper(),
    },
    # Each request is told on one line, by the machines that read JSON.
    "loggers": {
        "annotation.requests": {"level": "INFO" if LOG_FORMAT == "json" else "WARNING"},
        "weasyprint": {"level": "WARNING"},  # it would log every step of making a PDF
        "axes": {"level": "WARNING"},  # it would log every log-in
    },
}

# Files that come in, in bytes: with any form; on the page that takes data sets, from researchers; unpacked.
UPLOAD_MOST = environment.number("UPLOAD_MOST", 50_000_000, 1_000, 10**15)
FILE_UPLOAD_HANDLERS = [
    "annotation.watch.uploads.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
IMPORT_MOST_UPLOADED = environment.number("IMPORT_MOST_UPLOADED", 2_000_000_000, 1_000, 10**15)
IMPORT_MOST_UNPACKED = environment.number("IMPORT_MOST_UNPACKED", 20_000_000_000, 1_000, 10**15)
IMPORTS = VAR / "imports"

# The hub's address; empty for its own. Its older way to transfer files is plain HTTP, which tests can stand
# in for and proxies know; HF_HUB_DISABLE_XET=0 takes the newer one.
HUB_ENDPOINT = environment.text("HF_ENDPOINT")
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

# How long a batch waits for a silent worker before the beat queues it again; a living one renews it.
BATCH_LEASE_SECONDS = environment.number("BATCH_LEASE_SECONDS", 60, 1, 86_400)
HINT_EXPIRES_SECONDS = 9
WORKER_SILENT_SECONDS = 45  # after this the desk says that no worker is alive

environment.refuse_if_wrong()
