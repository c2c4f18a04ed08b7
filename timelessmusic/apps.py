from django.contrib.admin.apps import AdminConfig


class BoxOfficeConfig(AdminConfig):
    default_site = "tickets.box_office.BoxOffice"
