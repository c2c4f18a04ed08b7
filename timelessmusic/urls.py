from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("tickets.urls")),
]

if settings.DEBUG and "django_mail_preview" in settings.INSTALLED_APPS:
    urlpatterns.append(path("mails/", include("django_mail_preview.urls")))
