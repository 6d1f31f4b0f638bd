"""Pieces of log files that hold nothing but numbers, against reading them line by line."""

from __future__ import annotations

import numpy as np
import pytest

from delaystability.model.delay_log.text_file import _plain_numbers


def _line_by_line(text: str, separator: str, width: int) -> list[list[int]] | None:
    rows = [line.split(separator) for line in text.splitlines()]
    if any(len(row) != width for row in rows):
        return None
    return [[int(entry) for entry in row] for row in rows]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("width", [2, 3, 4])
def test_rows_of_equal_length_are_read_and_others_left_to_the_slow_way(width, separator):
    rows = np.random.default_rng(width).integers(0, 10**6, (5, width)).tolist()
    text = "".join(separator.join(map(str, row)) + "\n" for row in rows)
    places = [k for k, letter in enumerate(text) if letter in f"{separator}\n"]
    assert _plain_numbers(text.encode(), separator, width).tolist() == rows
    for first in places:
        for second in places:
            # Two marks exchanged: as many as before, but rows of other lengths.
            letters = list(text)
            letters[first], letters[second] = letters[second], letters[first]
            changed = "".join(letters)
            if not changed.endswith("\n"):
                continue
            found = _plain_numbers(changed.encode(), separator, width)
            expected = _line_by_line(changed, separator, width)
            assert (None if found is None else found.tolist()) == expected


@pytest.mark.parametrize("largest", [2**53 - 1, 2**53])
@pytest.mark.parametrize("form", ["{}", "{}.0"])
def test_numbers_up_to_where_floats_are_exact_are_read(largest, form):
    piece = "".join(form.format(number) + "\n" for number in (0, 7, largest)).encode()
    found = _plain_numbers(piece, None, 1)
    assert (found is None) == (largest == 2**53)
    assert found is None or found.tolist() == [[0], [7], [largest]]


@pytest.mark.parametrize(
    "piece", [b"1\n-2\n", b"1\n2.5\n", b"1\nx\n", b"1\n1 2\n", b"1\n+-2\n", b"1\n\n2\n"]
)
def test_what_is_no_delay_is_left_to_the_slow_way(piece):
    assert _plain_numbers(piece, None, 1) is None
