"""Say whether this process is alive, for whoever restarts it."""

from django.http import HttpResponse


def healthz(request):
    """Answer without any I/O: a database or a queue that is away is no reason to restart a healthy web server."""
    return HttpResponse("ok", content_type="text/plain")
