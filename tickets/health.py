"""Say whether this process is alive, for whoever restarts it."""

from django.http import HttpResponse


def healthz(get_response):
    """Answer /healthz ahead of everything else, and without any I/O.

    A middleware, not a view: load balancers and containers ask by address and in plain HTTP, which ALLOWED_HOSTS and
    the redirect to HTTPS would refuse. And a database or a queue that is away is no reason to restart a web server.
    """

    def middleware(request):
        if request.path == "/healthz":
            return HttpResponse("ok", content_type="text/plain")
        return get_response(request)

    return middleware
