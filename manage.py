#!/usr/bin/env python
"""Evenhand's command line: ``python manage.py COMMAND``."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # a variable is wrong: its sentence helps, a traceback does not
        sys.exit(f"Evenhand is not set up correctly: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
