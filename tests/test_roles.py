import pytest
from django.contrib.auth.models import Group, Permission

from tickets.roles import ROLES, make_groups

pytestmark = pytest.mark.django_db


def _groups():
    return {group.name: sorted(group.permissions.values_list("codename", flat=True)) for group in Group.objects.all()}


@pytest.mark.smoke
def test_the_roles_are_there_once_migrated():
    assert _groups() == {name: sorted(codenames) for name, codenames in ROLES.items()}


def test_money_and_redriving_are_not_for_support_and_the_door_checks_in():
    groups = _groups()
    assert not {"see_revenue", "refund", "export", "redrive"} & set(groups["support"])
    assert groups["door"] == ["check_in"]


def test_what_an_organiser_made_of_a_role_stays():
    group = Group.objects.get(name="support")
    group.permissions.remove(Permission.objects.get(codename="mail_again"))
    Group.objects.get(name="door").delete()
    make_groups()
    assert "mail_again" not in _groups()["support"]
    assert _groups()["door"] == ["check_in"]
