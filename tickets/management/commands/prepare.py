"""Make a database ready for bin/serve, in one process: starting Django three times would cost a second."""

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError

from tickets.health import ask_database
from tickets.models import Gig


class Command(BaseCommand):
    help = (
        "Migrate, import the gigs of a file into a shop that has none yet, and make the user admin with the password "
        "in DJANGO_SUPERUSER_PASSWORD unless it exists."
    )
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument("gigs", metavar="FILE", help="a file for import_gigs")

    def handle(self, *args, **options):
        try:
            ask_database()
            call_command("migrate", interactive=False, verbosity=0)
        except OperationalError as error:
            cause = str(error).strip().partition("\n")[0]
            raise CommandError(f"The database can't be reached, check DATABASE_URL: {cause}") from error
        # Only once: afterwards the gigs are the organiser's, who changes them in the admin.
        if not Gig.objects.exists():
            call_command("import_gigs", options["gigs"], stdout=self.stdout)
        if not get_user_model().objects.filter(username="admin").exists():
            call_command("createsuperuser", interactive=False, username="admin", email="", verbosity=0)
