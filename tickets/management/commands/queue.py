from django_typer.management import TyperCommand
from typer.exceptions import TyperException

from tickets.management.queue import cannot_run
from tickets.management.queue.messages import Messages
from tickets.management.queue.state import State
from tickets.management.queue.work import Work


class Command(State, Messages, Work, TyperCommand, pretty_exceptions_enable=False):  # Its own get past manage.py's.
    help = "Look after the purchase queue and its worker."

    def __exit__(self, kind, error, traceback):
        if isinstance(error, TyperException):
            # django-typer would end with 1, which is for what needs attention, below a page of help.
            super().__exit__(None, None, None)
            raise cannot_run(f"{error.format_message()} See `manage.py queue --help`.") from error
        return super().__exit__(kind, error, traceback)
