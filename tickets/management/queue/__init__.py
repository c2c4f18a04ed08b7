"""The subcommands of `manage.py queue`, by subject: they parse and print, the work is in the modules of tickets/.

Exit status: 0 fine, 1 something needs attention, 2 could not run.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

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
