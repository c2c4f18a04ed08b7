from django_typer.management import TyperCommand

from tickets.management.exits import Exits
from tickets.management.queue.messages import Messages
from tickets.management.queue.state import State
from tickets.management.queue.work import Work


class Command(Exits, State, Messages, Work, TyperCommand, pretty_exceptions_enable=False):
    # Typer's own exceptions would get past manage.py's log.
    help = "Look after the purchase queue and its worker."
