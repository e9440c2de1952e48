"""Canonical JSON: one encoder for every value, and a quick one for simple values."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.core.canonical import canonical, canonical_simple

SAFE = 2**53 - 1
KEYS = st.text(st.characters(max_codepoint=127))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SIMPLE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(SIMPLE)
def test_simple_values_have_the_same_canonical_bytes_from_both_encoders(value: Any) -> None:
    assert canonical_simple(value) == canonical(value)


def test_characters_that_json_escapes_are_written_alike() -> None:
    text = "".join(map(chr, range(0x100))) + "\u2028\u2029\ufeff\U0001f600"
    assert canonical_simple({"text": text}) == canonical({"text": text})
