"""The language of an answer: the one chosen by the switch, or else the first of the browser's that the shop speaks."""

from django.middleware.locale import LocaleMiddleware
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

# A form without a token, so that the switch can stand on pages that everybody shares; and not a link, which robots and
# prefetching browsers would follow. Whoever forges it changes the language that a page is read in, and nothing else.
choose = csrf_exempt(require_POST(set_language))


@require_POST
@sensitive_post_parameters()
def choose_in_form(request):
    """Have the browser send a form on to its page, with `language` among its fields: what was typed is shown again.

    So nothing typed is stored anywhere, a card least of all. Not without a token, for others may not send forms on.
    """
    answer = set_language(request)
    answer.status_code = 307  # the same method, the same body
    return answer


class ByCookieOrHeader(LocaleMiddleware):
    """Set the language as Django does, and tell caches the whole of what it depends on: Django leaves the cookie out.

    A picture is the same in every language, so nothing is said of it.
    """

    def process_response(self, request, response):
        kind = response.get("Content-Type", "").partition(";")[0]
        if kind == "text/html":
            patch_vary_headers(response, ["Cookie"])
        if kind in ("text/html", "application/json"):
            return super().process_response(request, response)
        return response
