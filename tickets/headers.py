"""The one security header that neither Django nor a library sets."""


def pages_for_our_origin(get_response):
    """Let no other site load our pages as if they were its pictures or scripts; our pictures are for everybody."""

    def middleware(request):
        response = get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    return middleware
