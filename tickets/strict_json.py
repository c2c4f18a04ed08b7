"""Read JSON that has one meaning: RFC 8259 leaves a key that stands twice to chance, and Python reads NaN, too."""

import json

from django.views.decorators.debug import sensitive_variables


@sensitive_variables()  # It may hold a card.
def loads(text: str) -> object:
    """Read a JSON text; raise ValueError, with the reason, for what isn't one."""
    try:
        return json.loads(text, object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _no_twins(pairs: list[tuple[str, object]]) -> dict:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
