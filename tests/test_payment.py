from datetime import date

import pytest
from django.core.exceptions import ValidationError

from tickets import payment


@pytest.mark.parametrize(
    "number",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "378282246310005",
        "6304000000000000",
        "501800000009",
        "6304000000000000000",
    ],
)
def test_a_card_number_passes(number):
    payment.validate_number(number)


@pytest.mark.parametrize(
    ("number", "error"),
    [
        ("4242424242424241", "This is not a card number: check it for a mistyped digit."),
        ("42424242424", "Enter the 12 to 19 digits on the front of the card."),
        ("42424242424242424242", "Enter the 12 to 19 digits on the front of the card."),
        ("4242a242424242424", "Enter the 12 to 19 digits on the front of the card."),
        ("٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "Enter the 12 to 19 digits on the front of the card."),
        ("", "Enter the 12 to 19 digits on the front of the card."),
    ],
)
def test_a_wrong_card_number_is_refused(number, error):
    with pytest.raises(ValidationError) as refused:
        payment.validate_number(number)
    assert refused.value.messages == [error]


@pytest.mark.parametrize("cvc", ["123", "1234", "000"])
def test_a_cvc_passes(cvc):
    payment.validate_cvc(cvc)


@pytest.mark.parametrize("cvc", ["12", "12345", "12a", "", "\uff11\uff12\uff13"])
def test_a_wrong_cvc_is_refused(cvc):
    with pytest.raises(ValidationError):
        payment.validate_cvc(cvc)


@pytest.mark.parametrize("expiry", [(11, 2026), (1, 2027)])
def test_a_card_is_good_to_the_end_of_its_month(expiry):
    payment.validate_expiry(*expiry, date(2026, 11, 30))


@pytest.mark.parametrize("expiry", [(10, 2026), (12, 2025)])
def test_after_that_it_has_expired(expiry):
    with pytest.raises(ValidationError) as refused:
        payment.validate_expiry(*expiry, date(2026, 11, 30))
    assert refused.value.messages == ["This card has expired."]


@pytest.mark.parametrize(
    "text", ["12/27", "12/2027", "12 / 27", "12 / 2027", "1227", "122027", "12-27", "12.27", "12 27", "12 2027"]
)
def test_an_expiry_is_typed_as_one_would(text):
    assert payment.read_expiry(text) == (12, 2027)


@pytest.mark.parametrize("text", ["1/27", "01/27", "127", "12027"])
def test_january_too(text):
    assert payment.read_expiry(text) == (1, 2027)


@pytest.mark.parametrize("text", ["", "12", "13/27", "0/27", "12/7", "12/027", "12//27", "2027/12", "١٢/٢٧"])
def test_what_is_no_expiry_is_refused(text):
    with pytest.raises(ValidationError) as refused:
        payment.read_expiry(text)
    assert refused.value.messages == ["Enter the expiry date as it stands on the card, like 12/31."]
