"""Answer what goes wrong outside of a view with a page that leads on."""

from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from tickets import limits


def bad_request(request, exception):
    """Answer what can't be understood; what is only too large, as any page, with the language's switch.

    Else without the request, as Django's own: its host may be what is wrong with it.
    """
    if isinstance(exception, RequestDataTooBig):
        return render(request, "413.html", status=413)
    return HttpResponse(render_to_string("400.html"), status=400)


def csrf_failure(request, reason=""):
    """Answer a form without a good token: its cookie is gone. A fresh form of the same gig has both."""
    gig = request.resolver_match is not None and request.resolver_match.url_name == "gig"
    return render(request, "403_csrf.html", {"form_address": request.path if gig else None}, status=403)


def sign_in_locked(request, _response, _credentials):
    """Answer instead of the sign-in page, as django-axes asks for, and say when to try again."""
    wait = limits.sign_in_wait(request)
    page = render(request, "tickets/sign_in_locked.html", {"wait": wait}, status=429)
    page["Retry-After"] = wait
    return page


def page_for_wrong_method(get_response):
    """Put a page into Django's empty answer to a method that an address doesn't know."""

    def middleware(request):
        response = get_response(request)
        if response.status_code == 405 and not response.content:
            response.content = render_to_string("405.html", request=request)
            response["Content-Length"] = len(response.content)
        return response

    return middleware
