"""The one security header that neither Django nor a library sets, and one that pages alone need."""


def pages_for_our_origin(get_response):
    """Let no other site load our pages as if they were its pictures or scripts; our pictures are for everybody."""

    def middleware(request):
        response = get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    return middleware


def permissions_of_pages(get_response):
    """Take from pictures, scripts and styles what only a page may ask for: as much as a third of a poster's bytes."""

    def middleware(request):
        response = get_response(request)
        if not response.get("Content-Type", "").startswith("text/html"):
            del response["Permissions-Policy"]
        return response

    return middleware
