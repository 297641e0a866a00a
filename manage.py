#!/usr/bin/env python
"""Evenhand's command line: ``python manage.py COMMAND``."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    _refuse_undecodable(sys.argv[1:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # a variable is wrong: its sentence helps, a traceback does not
        sys.exit(f"Evenhand is not set up correctly: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _refuse_undecodable(words: list[str]) -> None:
    """Python keeps bytes that are not UTF-8 as half characters, which no table and no message can hold."""
    for word in words:
        if word.encode(errors="replace") != word.encode(errors="surrogateescape"):
            shown = word.encode(errors="replace").decode()
            sys.exit(f"“{shown}” is not UTF-8 text. Nothing was done. Write or rename it in UTF-8.")


if __name__ == "__main__":
    main()
