"""Who may do what: the roles as groups, made after each migration; what they are given or denied later stays so."""

from django.apps import apps

# The door has no page of the admin's: it checks in, and that is all it sees.
ROLES = {
    "organiser": [
        *("add_gig", "change_gig", "view_gig", "view_purchase", "view_ticket"),
        *("mail_again", "refund", "see_revenue", "export", "redrive", "check_in"),
    ],
    # No money, and no redrive.
    "support": ["view_gig", "view_purchase", "view_ticket", "mail_again", "check_in"],
    "door": ["check_in"],
}


def make_groups(**_kwargs) -> None:
    """Make the groups that are missing, each with its permissions; one that is there stays as it was left."""
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, codenames in ROLES.items():
        group, created = Group.objects.get_or_create(name=name)
        if created:
            group.permissions.set(Permission.objects.filter(content_type__app_label="tickets", codename__in=codenames))
