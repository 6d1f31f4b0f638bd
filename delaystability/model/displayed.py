"""Records that a notebook shows as tables, and that become tables of pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from html import escape
from typing import Any

__all__ = ["Displayed", "data_frame", "html_table"]

_LONGEST_CELL = 400  # characters
_MOST_ROWS = 60


class Displayed:
    """Show a record in a notebook, and give it as a table of pandas."""

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        """The rows of the table: one, with the fields, unless a record has more."""
        record: Any = self
        if not is_dataclass(record):
            raise TypeError(f"{type(self).__name__} must be a data class, or say what its rows are")
        return [{entry.name: getattr(self, entry.name) for entry in fields(record) if entry.repr}]

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, self._rows())

    def to_frame(self) -> Any:
        """Give the record as a table of pandas, with a row for each of its entries.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return data_frame(self._rows())


def data_frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Make a table of pandas of these rows.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise ImportError("to_frame needs pandas: pip install pandas") from error
    return DataFrame([dict(row) for row in rows])


def html_table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as an HTML table: one as names and values, several under a line of names.

    Everything is escaped, long texts are cut, and of many rows the first ones are shown.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(rows) == 1:
        lines = [
            f"<tr><th>{_name(name)}</th><td>{_cell(rows[0][name])}</td></tr>" for name in names
        ]
    else:
        cells = ("".join(f"<td>{_cell(row.get(name))}</td>" for name in names) for row in rows)
        shown = [f"<tr>{line}</tr>" for _, line in zip(range(_MOST_ROWS), cells, strict=False)]
        lines = [f"<tr>{''.join(f'<th>{_name(name)}</th>' for name in names)}</tr>", *shown]
    more = f" ({len(rows)} rows, the first {_MOST_ROWS})" if len(rows) > _MOST_ROWS else ""
    return f"<table><caption>{escape(title + more)}</caption>{''.join(lines)}</table>"


def _name(name: str) -> str:
    return escape(str(name).replace("_", " "))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_cell, value[:_MOST_ROWS]))
    text = str(value)
    return escape(text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}...")
