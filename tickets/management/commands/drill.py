from typing import Annotated

from django.conf import settings
from django.core.management.base import CommandError
from django_typer.management import TyperCommand
from typer import Argument

from tickets.management.exits import Exits, cannot_run


class Command(Exits, TyperCommand, pretty_exceptions_enable=False):
    requires_system_checks = []

    def handle(
        self,
        name: Annotated[str, Argument(help="sqs-away, mail-server-away, poison-message or worker-killed.")],
    ):
        """Rehearse an incident with real processes on servers of its own, and prove that nothing is lost.

        The configured shop, its database and its queue are never touched. A drill takes less than a minute.

        Example: manage.py drill sqs-away
        """
        try:
            from rehearsal import drills  # Not in the image, and neither is what it needs.
        except ModuleNotFoundError as error:
            raise cannot_run(
                f"{error.name} is missing: a drill is for a developer's machine, with requirements-dev.txt installed"
            ) from error
        if name not in drills.DRILLS:
            raise cannot_run(f"there is no drill {name!r}, only {', '.join(drills.DRILLS)}")
        try:
            drills.run(name, settings.BASE_DIR, self._tell)
        except drills.NotHeld as error:
            raise CommandError(f"this did not hold: {error}") from error
        self.stdout.write("The drill is over: all of it held.")

    def _tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
