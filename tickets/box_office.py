"""The admin's site: its first screen, and the pages that belong to no model."""

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django_htmx.http import HttpResponseClientRefresh

from tickets import dashboard, parked, second_factor


class BoxOffice(AdminSite):
    site_header = site_title = "TimelessMusic"
    index_title = _("Box office")
    enable_nav_sidebar = False
    login_form = second_factor.SignInForm
    login_template = "admin/sign_in.html"

    def get_urls(self):
        return [
            path("board/", self.board, name="board"),
            path("parked/", self.admin_view(parked.page), {"site": self}, name="parked"),
            path("second-factor/", self.admin_view(second_factor.page), {"site": self}, name="second_factor"),
            *super().get_urls(),
        ]

    def index(self, request, extra_context=None):
        figures = dashboard.board() if request.user.has_perm("tickets.view_ticket") else {}
        return super().index(request, figures | (extra_context or {}))

    def board(self, request):
        """Answer the first screen's refresh; who was signed out meanwhile gets the sign-in page by a new start."""
        if not self.has_permission(request):
            return HttpResponseClientRefresh()
        if not request.user.has_perm("tickets.view_ticket"):
            raise PermissionDenied
        response: HttpResponse = render(request, "admin/_board.html", dashboard.board())
        response["Cache-Control"] = "no-store"
        return response
