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


@pytest.mark.parametrize(
    "dash",
    ["\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212", "\u00ad", "\uff0d", "_", "."],
)
def test_any_dash_will_do(dash: str) -> None:
    code = make_recovery_code()
    assert read_recovery_code(str(code).replace("-", dash)) == code


FULL_WIDTH = {chr(at): chr(at + 0xFEE0) for at in range(0x21, 0x7F)}


@given(st.data())
def test_no_typography_changes_what_a_code_says(data: st.DataObject) -> None:
    code = make_recovery_code()
    text = str(code)
    between = st.text(
        st.sampled_from("\u200b\u200e\u2060\ufeff\ufe0f\u00a0\u3000\t\n '\"’“”«»„.,;:")
    )
    wide = data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    written = [FULL_WIDTH[each] if far else each for each, far in zip(text, wide, strict=True)]
    typed = "".join(data.draw(between, label="between") + each for each in written)
    assert read_recovery_code(typed + data.draw(between)) == code


def test_a_check_symbol_is_read_in_what_keyboards_make_of_it() -> None:
    for symbol, alikes in (("~", "\u02dc\u223c\u301c\uff5e"), ("*", "\u2217\uff0a")):
        code = next(made for made in iter(make_recovery_code, None) if str(made).endswith(symbol))
        for alike in alikes:
            assert read_recovery_code(str(code)[:-1] + alike) == code


def test_digits_of_another_script_are_digits() -> None:
    code = make_recovery_code()
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    assert read_recovery_code(str(code).translate(arabic)) == code
