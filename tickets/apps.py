from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class TicketsConfig(AppConfig):
    name = "tickets"
    verbose_name = _("Sales")

    def ready(self):
        from tickets.roles import make_groups

        # Its permissions are there by then: django.contrib.auth, which stands before this app, makes them.
        post_migrate.connect(make_groups, sender=self)
