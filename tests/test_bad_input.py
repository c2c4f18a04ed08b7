"""Whatever comes in, the form and the worker's parser answer; neither ever fails."""

import json
import uuid
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickets.delivery import Delivery
from tickets.forms import OwnerForm, OwnerFormSet, PurchaseForm
from tickets.purchases import NotOurs, Owner, buy, message_body, read_message
from tickets.queue import Received

MANAGEMENT = ["owners-TOTAL_FORMS", "owners-INITIAL_FORMS"]
ROWS = [f"owners-{row}-{name}" for row in (0, 1) for name in OwnerForm.base_fields]
# Anything a browser or a script can send as text: controls, NUL, right-to-left, emoji, lone surrogates, great lengths.
texts = st.text(st.characters(), max_size=300) | st.text(st.characters(), max_size=5).map(lambda text: text * 60_000)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from([*PurchaseForm.base_fields]), texts))
@settings(max_examples=200, deadline=None)
def test_the_form_answers_to_anything(data):
    form = PurchaseForm(data)
    assert form.is_valid() or form.errors


@given(
    st.dictionaries(st.sampled_from(MANAGEMENT), texts | st.integers(-1, 3000).map(str)),
    st.dictionaries(st.sampled_from([*ROWS, "same_email"]), texts),
)
@settings(max_examples=200, deadline=None)
def test_so_do_the_owners(management, data):
    owners = OwnerFormSet(management | data)
    if owners.is_valid():
        for owner in owners.owners():
            # What is valid fits a header and a message to the letter.
            assert "\n" not in owner.name + owner.email
            assert json.loads(json.dumps(owner, ensure_ascii=False).encode()) == list(owner)
    else:
        assert owners.total_error_count() > 0


@given(st.text(max_size=500) | json_values.map(json.dumps) | texts)
@settings(max_examples=300, deadline=None)
def test_the_parser_answers_to_anything(body):
    with pytest.raises(NotOurs):
        read_message(body)


@given(
    st.fixed_dictionaries({"name": json_values, "email": json_values, "gigId": json_values, "ticketId": json_values})
)
@settings(max_examples=200, deadline=None)
def test_the_parser_takes_texts_alone(message):
    with pytest.raises(NotOurs):
        read_message(json.dumps(message))


@given(st.uuids(), st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
@settings(max_examples=100, deadline=None)
def test_the_parser_takes_every_message_of_ours(ticket, name, email, gig):
    body = {"name": name, "email": email, "gigId": gig, "ticketId": str(ticket)}
    assert read_message(json.dumps(body, ensure_ascii=False)) == ticket


@pytest.mark.parametrize("bad", ["", "null", "[" * 300_000, '{"a":' * 1000, "\x00", "x" * 300_000])
def test_a_good_message_behind_a_bad_one_is_mailed(gig, smtp, bad):
    [ticket] = buy(gig, [Owner("Ada", "ada@example.com")], str(uuid.uuid4())).tickets
    good = Received("good", json.dumps(message_body(ticket)), "h1", 1)
    postman = Delivery(timedelta(seconds=180), max_receive_count=5)
    outcome = postman.deliver([Received("bad", bad, "h2", 1), good])
    postman.close()
    assert (outcome.done, [message.id for message in outcome.parked]) == ([good], ["bad"])
