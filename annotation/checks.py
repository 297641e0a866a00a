"""What must hold before the application starts; ``manage.py check`` and every command run these."""

import os
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


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
