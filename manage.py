#!/usr/bin/env python
import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timelessmusic.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # A wrong setting is the operator's to read: one line, no traceback.
        sys.exit(f"manage.py: {error}")
