import pytest

from tickets.strict_json import loads


def test_it_works():
    assert loads('{"a": [1, 2.5, null, true, "é"]}') == {"a": [1, 2.5, None, True, "é"]}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1, "a": 1}', "a key stands twice"),
        ('[{"b": {"a": 1, "a": 2}}]', "a key stands twice"),
        ("[NaN]", "NaN is no JSON"),
        ("-Infinity", "-Infinity is no JSON"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ("{", "Expecting property name"),
    ],
)
def test_what_has_no_one_meaning_is_refused(text, why):
    with pytest.raises(ValueError, match=f"^{why}"):
        loads(text)
