"""What must hold before the application starts; ``manage.py check`` and every command run these."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

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
