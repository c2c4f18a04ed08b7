#!/usr/bin/env python
import logging
import os
import sys
import threading

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def log_crash(*error):
    """Log what Python would print as it is: an error may quote a buyer's address, and the log masks it."""
    logging.getLogger("manage").critical("ended by an error", exc_info=error)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timelessmusic.settings")
    sys.excepthook = log_crash
    threading.excepthook = lambda args: log_crash(*args[:3])
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # A wrong setting is the operator's to read: one line, no traceback.
        sys.exit(f"manage.py: {error}")
