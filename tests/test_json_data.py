"""JSON from a stranger: what is refused, and that the refusal names the place."""

from __future__ import annotations

import pytest

from delaystability.files.field import Field
from delaystability.files.json_data import data_from_json


def test_ordinary_json_is_read_as_the_standard_library_reads_it():
    text = '{"a": [1, 2.5, null, true], "b": {"c": "text"}}'
    assert data_from_json(text, "a file", 100) == {
        "a": [1, 2.5, None, True],
        "b": {"c": "text"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "must be a file; got the number NaN"),
        ('{"a": -Infinity}', "got the number -Infinity"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' must occur once; got it twice"),
        ('{"a": ', "must be a file: "),
        ("[" * 90, "must be a file"),
        ("1" * 101, "at most 100 characters; got a text of 101"),
        (3, "at most 100 characters; got int"),
    ],
)
def test_what_is_no_plain_json_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        data_from_json(text, "a file", 100)


def test_deep_json_is_refused():
    with pytest.raises(ValueError, match="nested too deeply"):
        data_from_json("[" * 10**5, "a file", 10**6)


def test_a_long_integer_stays_text_for_the_field_to_refuse():
    data = data_from_json('{"delay": ' + "9" * 5000 + "}", "a file", 10**4)
    with pytest.raises(ValueError, match="delay must be an integer from 0 to 5; got str '999"):
        Field(data).entry("delay").integer(0, 5)


_FILE = Field({"rows": [{"name": "x", "count": 3}], "kind": "lemma"})


def test_fields_are_read_by_their_path():
    (row,) = _FILE.entry("rows").entries(1, 2)
    assert (row.entry("name").text(5), row.entry("count").integer(0, 3)) == ("x", 3)
    assert row.entry("count").path == "rows[0].count"
    assert _FILE.entry("kind").one_of(("lemma", "theorem")) == "lemma"
    assert set(_FILE.names(2, 4)) == {"rows", "kind"}


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda row: row.entry("age"), r"rows\[0\].age must be given; it is missing"),
        (lambda row: row.entry("name").entry("x"), r"rows\[0\].name must be a mapping; got str"),
        (lambda row: row.entry("name").text(0), "must be text of 0 to 0 characters; got str 'x'"),
        (lambda row: row.entry("name").integer(0, 1), r"rows\[0\].name must be an integer"),
        (lambda row: row.entry("count").integer(0, 2), "from 0 to 2; got int 3"),
        (lambda row: row.entry("count").text(9), "must be text of 0 to 9 characters; got int 3"),
        (lambda row: row.entry("count").entries(2, 2), "must be a list of 2 entries; got int"),
        (lambda row: row.entry("name").one_of(("a", "b")), "one of a, b; got str 'x'"),
        (lambda row: row.names(1, 9), "a mapping of at most 1 names; got dict"),
        (lambda row: row.names(2, 4), "names of at most 4 characters; got dict"),
    ],
)
def test_a_field_that_is_something_else_is_refused_with_its_path(read, message):
    (row,) = _FILE.entry("rows").entries(1, 1)
    with pytest.raises(ValueError, match=message):
        read(row)


@pytest.mark.parametrize(
    "value", [True, 1.0, "1", None, 10**5000, [1]], ids=lambda v: type(v).__name__
)
def test_only_an_integer_is_an_integer(value):
    with pytest.raises(ValueError, match="must be an integer") as refused:
        Field(value, "count").integer(0, 10)
    assert len(str(refused.value)) < 200
