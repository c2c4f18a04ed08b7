"""Messages: looked at, sent on their way again, tried."""

from collections.abc import Iterator
from typing import Annotated

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.validators import validate_email
from django_typer.management import TyperCommand, command
from rich.progress import track
from typer import Argument, Option

from tickets import deadletters, provisioning, queue, trial
from tickets.deadletters import Letter
from tickets.management.exits import cannot_run, running

LINE_EVERY = 100  # messages, where there is no terminal to draw progress on
WHAT_BLOCKS = {
    "published": "SQS did not take it: `manage.py queue doctor` says why. The shop's tickets wait in the outbox",
    "received": "no worker took it: is one running? `manage.py queue work`",
    "mailed": "a worker has it and can't mail it: its log says why, `manage.py queue doctor` tries the mail server",
}


class Messages(TyperCommand):
    @command()
    def peek(
        self,
        dlq: Annotated[bool, Option("--dlq", help="Look into the dead-letter queue.")] = False,
        limit: Annotated[int, Option("--limit", "-n", min=1, help="How many messages to show at most.")] = 10,
        full: Annotated[bool, Option("--full", help="Show names and addresses, too.")] = False,
    ):
        """Show messages without consuming them.

        SQS counts each look as a receive. A message of the queue has five, then it goes to the DLQ; in the DLQ nothing
        follows from it.

        Example: manage.py queue peek --dlq --limit 3
        """
        with running():
            letters = deadletters.browse(limit, of_queue=not dlq)
        for letter in letters:
            self._show(letter, full)
        if not letters:
            self.stdout.write("nothing there that is not in a worker's hands")

    @command()
    def redrive(
        self,
        cause: Annotated[str, Option("--to-dlq-cause", "--cause", help="Those whose cause has these words.")] = "",
        ids: Annotated[list[str] | None, Option("--id", help="This message or ticket; may be repeated.")] = None,
        everything: Annotated[bool, Option("--all", help="All of them.")] = False,
        dry_run: Annotated[bool, Option("--dry-run", help="Show what would go, and leave it.")] = False,
        maximum: Annotated[int | None, Option("--max", min=1, help="How many at most.")] = None,
    ):
        """Send messages of the dead-letter queue to the queue again, once their cause is mended.

        A ticket is mailed once, however many messages it has: those of mailed and cancelled ones end without a mail.

        Example: manage.py queue redrive --cause "550" --dry-run
        """
        if bool(cause) + bool(ids) + everything != 1:
            raise cannot_run("say which: one of --cause, --id and --all")
        select = deadletters.everything
        if not everything:
            select = deadletters.by_cause(cause) if cause else deadletters.by_id(*ids)
        if dry_run:
            with running():
                letters = deadletters.browse(maximum, select)
            for letter in letters:
                self._show(letter, full=False)
            self.stdout.write(f"would redrive {len(letters)}")
            found = len(letters)
        else:
            found = self._redrive(select, maximum)
        if ids and not found:
            raise CommandError("not in the DLQ: a ticket can be mailed again from its page in the admin")

    def _redrive(self, select: deadletters.Select, maximum: int | None) -> int:
        done, stay = 0, []
        with running():
            dead = provisioning.describe().dead_letters
        progress: Iterator = deadletters.redrive(select, maximum)
        terminal = self.stdout.isatty()
        if terminal and dead:
            total = min(maximum or dead.depth, dead.depth)
            progress = track(progress, "redriving", total=total, transient=True)
        try:
            with running():
                for letter, answer in progress:
                    if isinstance(answer, queue.QueueError):
                        stay.append(f"{letter.id} stays: {answer}")
                        continue
                    done += 1
                    if done % LINE_EVERY == 0 and not terminal:
                        self.stdout.write(f"redriven {done}")
        finally:
            self.stdout.write(f"redriven {done}, stay {len(stay)}")
        for line in stay:
            self.stdout.write(line)
        if stay:
            raise CommandError("SQS refused some: the same command tries them again")
        return done

    @command()
    def send_test(
        self,
        email: Annotated[str, Argument(help="Where the mail goes: an address of your own.")],
        wait: Annotated[int, Option(min=1, help="Seconds to wait for the mail.")] = 60,
    ):
        """Send one ticket all the way to an address, and tell when it came to each station. It stays in no number.

        Example: manage.py queue send-test you@example.com
        """
        try:
            validate_email(email)
        except ValidationError as error:
            raise cannot_run(error.messages[0]) from error
        with running():
            provisioning.describe()  # Not to sell what can't be published.
            reached = set()
            for station in trial.run(email, wait):
                self.stdout.write(f"{station.name:<11}{station.seconds:>8.2f} s")
                self.stdout.flush()
                reached.add(station.name)
        missing = next((name for name in trial.STATIONS if name not in reached), None)
        if missing:
            raise CommandError(f"not {missing} within {wait} s: {WHAT_BLOCKS[missing]}. The test is cancelled")

    def _show(self, letter: Letter, full: bool) -> None:
        self.stdout.write(
            f"{letter.id}  sent {letter.sent_at:%Y-%m-%d %H:%M:%S} UTC  kept until {letter.kept_until:%Y-%m-%d %H:%M}"
            f"  receives {letter.receive_count}"
        )
        if letter.cause:
            self.stdout.write(f"  {letter.cause}")
        self.stdout.write(f"  {letter.body if full else letter.masked}")
