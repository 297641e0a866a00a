"""What must hold before anything starts: every command looks, and so do web server, workers and beat.

Each problem has an id and a remedy. What a variable cannot be at all, `annotation.environment` refuses.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured

BROKERS = ("filesystem", "redis", "rediss", "amqp", "amqps", "memory")
SHORTEST_TOKEN = 16

NEW_ACCOUNTS = ("refuse", "member", "researcher")


@register()
def var_is_writable(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """An error when the folder of everything mutable cannot be written to."""
    folder: Path = settings.VAR
    if os.access(folder, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"The folder {folder} is not writable by this user.",
            hint="Give the folder to the user who runs Evenhand, or name another one in EVENHAND_VAR.",
            id="annotation.E001",
        )
    ]


@register()
def broker_is_known(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """An error for the address of a queue that Evenhand does not speak to."""
    scheme = urlsplit(settings.CELERY_BROKER_URL).scheme
    if scheme in BROKERS:
        return []
    return [
        Error(
            f"CELERY_BROKER_URL begins with “{scheme}:”, which is no queue that Evenhand knows.",
            hint="Write redis://:PASSWORD@HOST:6379/0 or amqp://USER:PASSWORD@HOST:5672//, or leave it out.",
            id="annotation.E002",
        )
    ]


@register()
def metrics_token_is_long(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """An error for a token that somebody could guess."""
    if not settings.METRICS_TOKEN or len(settings.METRICS_TOKEN) >= SHORTEST_TOKEN:
        return []
    return [
        Error(
            f"METRICS_TOKEN has fewer than {SHORTEST_TOKEN} characters.",
            hint="Draw one: python -c 'import secrets; print(secrets.token_urlsafe())'.",
            id="annotation.E003",
        )
    ]


@register()
def provider_is_whole(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """Errors where the settings of the OpenID Connect log-in are not whole or not safe."""
    given = {
        name: getattr(settings, name) for name in ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
    }
    missing = [name for name, value in given.items() if not value]
    found = []
    if missing and len(missing) < len(given):
        hint = "Set all three of them, or none: then nobody logs in by OpenID Connect."
        found.append(Error(f"{' and '.join(missing)} is not set.", hint=hint, id="annotation.E041"))
    if given["OIDC_ISSUER"] and not _is_safe_issuer(given["OIDC_ISSUER"]):
        hint = "Write the provider's issuer as https://HOST/…; only one on this machine may use http."
        found.append(
            Error(f"OIDC_ISSUER is “{given['OIDC_ISSUER']}”, no HTTPS URL.", hint=hint, id="annotation.E042")
        )
    if settings.OIDC_NEW_ACCOUNTS not in NEW_ACCOUNTS:
        hint = f"Write one of {', '.join(NEW_ACCOUNTS)}."
        found.append(
            Error(f"OIDC_NEW_ACCOUNTS is “{settings.OIDC_NEW_ACCOUNTS}”.", hint=hint, id="annotation.E043")
        )
    return found


def _is_safe_issuer(url: str) -> bool:
    try:
        found = urlsplit(url)
        host = found.hostname
    except ValueError:
        return False
    return bool(host) and (
        found.scheme == "https" or (found.scheme == "http" and host in ("localhost", "127.0.0.1", "::1"))
    )


ALWAYS = (var_is_writable, broker_is_known, metrics_token_is_long, provider_is_whole)


@register(Tags.security, deploy=True)
def https_is_on(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """A warning for a site without HTTPS: the variable behind Django's own warnings."""
    if settings.HTTPS:
        return []
    return [
        Warning(
            "HTTPS is off, so cookies and pages go over the wire as they are.",
            hint="Put a proxy with a certificate in front, and set HTTPS=1.",
            id="annotation.W001",
        )
    ]


@register(Tags.security, deploy=True)
def hosts_are_named(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """A warning for a site that answers under any name."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Warning(
            "The site answers under any name.",
            hint="Write the names of the site in ALLOWED_HOSTS, separated by commas.",
            id="annotation.W002",
        )
    ]


@register(Tags.security, deploy=True)
def secret_key_is_given(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """A warning for a key that other hosts of the site would not share."""
    if not (settings.VAR / "secret_key").exists() or settings.SECRET_KEY_WAS_GIVEN:
        return []
    return [
        Warning(
            "SECRET_KEY is not set, so each host draws its own, and raters' pseudonyms hang on it.",
            hint="Set SECRET_KEY or SECRET_KEY_FILE, the same on every host.",
            id="annotation.W003",
        )
    ]


def refuse_wrong_settings() -> None:
    """For processes that no command starts. Raises ImproperlyConfigured with everything that is wrong."""
    found = [problem for check in ALWAYS for problem in check(None)]
    if found:
        raise ImproperlyConfigured("\n".join(f"{one.msg} {one.hint} ({one.id})" for one in found))
