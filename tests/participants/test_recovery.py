"""Recovery codes: read back however they are typed, and never taken for another one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.participants.recovery import (
    ALPHABET,
    CHECK_ALPHABET,
    check_symbol,
    make_recovery_code,
    read_recovery_code,
)


def test_a_code_reads_back_as_it_was_made() -> None:
    code = make_recovery_code()
    assert read_recovery_code(str(code)) == code
    assert len(code.secret) * 5 >= 100


def test_two_codes_are_never_the_same() -> None:
    assert len({make_recovery_code().secret for _ in range(1000)}) == 1000


@pytest.mark.parametrize("change", [str.lower, lambda text: text.replace("-", " "), str.strip])
def test_case_and_separators_do_not_matter(change: object) -> None:
    code = make_recovery_code()
    assert read_recovery_code(change(str(code))) == code  # type: ignore[operator]


def test_letters_that_look_like_digits_are_read_as_digits() -> None:
    code = make_recovery_code()
    typed = str(code).replace("0", "o").replace("1", "l")
    assert read_recovery_code(typed) == code
    assert read_recovery_code(typed.replace("l", "I")) == code


@given(st.integers(0, 29), st.sampled_from(ALPHABET))
def test_any_single_wrong_character_is_noticed(place: int, symbol: str) -> None:
    code = make_recovery_code()
    text = str(code).replace("-", "")
    typed = text[:place] + symbol + text[place + 1 :]
    assert read_recovery_code(typed) == (code if typed == text else None)


@given(st.integers(0, 28))
def test_two_characters_that_changed_places_are_noticed(place: int) -> None:
    code = make_recovery_code()
    text = str(code).replace("-", "")
    typed = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    assert read_recovery_code(typed) == (code if typed == text else None)


def test_the_check_symbol_is_crockfords() -> None:
    # 1234 is 16J in Crockford's base32, and 1234 modulo 37 is 13, which is D.
    assert check_symbol("16J") == "D"
    assert len(CHECK_ALPHABET) == 37
