import re
from uuid import UUID

import pytest
from django.core.signing import Signer
from hypothesis import given
from hypothesis import strategies as st

from tickets import codes

ID = UUID("80527d99-4ce1-4bad-9e12-2e3a95e0a793")


@given(st.uuids(), st.integers(1, 32767))
def test_what_was_signed_is_read_and_fits_a_qr_of_41_modules(ticket_id, edition):
    code = codes.sign(ticket_id, edition)
    assert codes.read(code) == (ticket_id, edition)
    assert len(code) <= 74  # bytes in version 6 with a quarter of it lost


@given(st.integers(0, 67), st.characters(codec="ascii"))
def test_a_changed_code_is_refused(place, other):
    code = codes.sign(ID, 1)
    changed = code[:place] + other + code[place + 1 :]
    if changed != code:
        with pytest.raises(codes.Forged):
            codes.read(changed)


@pytest.mark.parametrize("code", ["", "hello", str(ID), Signer().sign("x:1"), Signer(salt="elsewhere").sign("x:1")])
def test_others_codes_are_refused(code):
    with pytest.raises(codes.Forged):
        codes.read(code)


def test_a_new_secret_key_voids_no_ticket(monkeypatch):
    code, short = codes.sign(ID, 1), codes.read_typed(codes.short(ID, 1))
    for fallback_keys, expected in (([codes._signer.key], (ID, 1)), ([], None)):
        monkeypatch.setattr(codes, "_signer", Signer(key="x" * 50, fallback_keys=fallback_keys, salt="tickets.codes"))
        assert short.edition(ID, 1) == (expected and 1)
        if expected:
            assert codes.read(code) == expected
        else:
            with pytest.raises(codes.Forged):
                codes.read(code)


# --- The short one, for typing ----------------------------------------------------------------------


@pytest.mark.parametrize("write", [str, str.lower, lambda code: f" {code.replace('-', ' ')} "])
def test_a_typed_code_means_the_tickets_that_begin_with_its_number(write):
    code = codes.short(ID, 1)
    assert re.fullmatch("8052-7D99-4CE1-[0-9A-F]{4}", code)
    for text, tag in ((code, code[-4:].lower()), (code[:14], "")):
        assert codes.read_typed(write(text)) == (
            UUID("80527d99-4ce1-0000-0000-000000000000"),
            UUID("80527d99-4ce1-ffff-ffff-ffffffffffff"),
            tag,
        )


@pytest.mark.parametrize(
    "typed", ["", "8052", "8052-7D99-4CEG", "8052-7D99-4CE1-0", "8052-7D99-4CE1-17AD-0", "\x00" * 12, str(ID)]
)
def test_what_is_no_short_code_means_nothing(typed):
    assert codes.read_typed(typed) is None


def test_a_tag_is_its_editions(monkeypatch):
    monkeypatch.setattr(codes, "_signer", Signer(key="x" * 50))  # Else two tags might be alike, one time in 65,536.
    typed = codes.read_typed(codes.short(ID, 2))
    assert [typed.edition(ID, newest) for newest in (0, 1, 2, 3)] == [None, None, 2, 2]
    assert typed.edition(UUID(int=ID.int + 1), 3) is None
