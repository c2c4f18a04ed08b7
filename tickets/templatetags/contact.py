"""Say how the shop's people are reached."""

from email.utils import parseaddr
from urllib.parse import quote

from django import template
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

register = template.Library()


@register.simple_tag
def mail_about(purchase) -> SafeString:
    """Give the address that reads answers to our mails, as a link whose mail names the purchase."""
    address = parseaddr(settings.REPLY_TO_EMAIL or settings.DEFAULT_FROM_EMAIL)[1]
    subject = quote(f"{_('Purchase')} {purchase.pk}")
    return format_html('<a href="mailto:{}?subject={}">{}</a>', quote(address, safe="@"), subject, address)
