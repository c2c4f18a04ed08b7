from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from tickets.catalogue import CatalogueError, import_file


class Command(BaseCommand):
    help = "Bring gigs in from a JSON or CSV file, keyed by slug: new ones are created, known ones changed."

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, help="for example data/gigs.json")

    def handle(self, *, file, **_):
        try:
            imported = import_file(file)
        except CatalogueError as error:
            raise CommandError(f"nothing was imported:\n{error}") from error
        self.stdout.write(f"{imported.created} created, {imported.changed} changed, {imported.unchanged} unchanged")
