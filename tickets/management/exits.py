"""How commands end: 0 fine, 1 something needs attention, 2 could not run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from typer.exceptions import TyperException

from tickets.outages import DatabaseDown
from tickets.queue import QueueError


def cannot_run(words: str) -> CommandError:
    return CommandError(words, returncode=2)


@contextmanager
def running(so_far: str = "") -> Iterator[None]:
    """Say in one line that the queue or the database is away."""
    try:
        yield
    except (QueueError, *DatabaseDown) as error:
        raise cannot_run(f"{so_far}{str(error).strip()}") from error


class Exits:
    """End a command line that makes no sense with 2: django-typer's 1 is for what needs attention."""

    def __exit__(self, kind, error, traceback):
        if isinstance(error, TyperException):
            super().__exit__(None, None, None)
            words = f"{error.format_message()} See `manage.py {self._name} --help`."
            if getattr(self, "_called_from_command_line", False):  # Not all of these pass where Django catches errors.
                self.stderr.write(f"CommandError: {words}")
                sys.exit(2)
            raise cannot_run(words) from error
        return super().__exit__(kind, error, traceback)
