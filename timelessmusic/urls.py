from django.conf import settings
from django.contrib import admin
from django.contrib.sitemaps.views import sitemap
from django.urls import include, path

from tickets import mail_preview, sharing

handler400 = "tickets.errors.bad_request"

urlpatterns = [
    path("admin/mail/<uuid:pk>/", admin.site.admin_view(mail_preview.page), name="mail_preview"),
    path("admin/mail/<uuid:pk>/html/", admin.site.admin_view(mail_preview.html), name="mail_preview_html"),
    path("admin/mail/<uuid:pk>/pdf/", admin.site.admin_view(mail_preview.pdf), name="mail_preview_pdf"),
    path("admin/", admin.site.urls),
    path("robots.txt", sharing.robots, name="robots"),
    path("sitemap.xml", sitemap, {"sitemaps": {"pages": sharing.Pages}}, name="sitemap"),
    path("", include("tickets.urls")),
]

if settings.DEBUG and "django_mail_preview" in settings.INSTALLED_APPS:
    urlpatterns.append(path("mails/", include("django_mail_preview.urls")))
