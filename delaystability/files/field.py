"""Values of a file from a stranger, each with the path to it, so that a refusal names the place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["Field"]

_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True)
class Field:
    """Read a value of a file, by the path to it: what is allowed, or a ValueError.

    Attributes
    ----------
    value : object
        Plain data, as JSON holds it.
    path : str
        Empty for the file as a whole.
    """

    value: Any
    path: str = ""

    def entry(self, name: str) -> Self:
        """The entry of this name of a mapping."""
        path = f"{self.path}.{name}" if self.path else name
        if not isinstance(self.value, Mapping):
            raise self.wrong("a mapping")
        if name not in self.value:
            raise ValueError(f"{path} must be given; it is missing")
        return type(self)(self.value[name], path)

    def names(self, most: int, longest: int) -> dict[str, Self]:
        """All entries of a mapping with at most as many names, none of them longer."""
        if not isinstance(self.value, Mapping) or len(self.value) > most:
            raise self.wrong(f"a mapping of at most {most} names")
        for name in self.value:
            if not isinstance(name, str) or len(name) > longest:
                raise self.wrong(f"a mapping with names of at most {longest} characters")
        return {name: self.entry(name) for name in self.value}

    def entries(self, least: int, most: int) -> list[Self]:
        """The entries of a list of such a length."""
        if not isinstance(self.value, (list, tuple)) or not least <= len(self.value) <= most:
            count = f"{least}" if least == most else f"{least} to {most}"
            raise self.wrong(f"a list of {count} entries")
        return [type(self)(value, f"{self.path}[{k}]") for k, value in enumerate(self.value)]

    def text(self, longest: int, least: int = 0) -> str:
        """A string of such a length."""
        if not isinstance(self.value, str) or not least <= len(self.value) <= longest:
            raise self.wrong(f"text of {least} to {longest} characters")
        return self.value

    def integer(self, least: int, most: int) -> int:
        """An integer in this range."""
        if type(self.value) is not int or not least <= self.value <= most:
            raise self.wrong(f"an integer from {least} to {most}")
        return self.value

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def one_of(self, allowed: tuple[str, ...]) -> str:
        """One of these strings."""
        if not isinstance(self.value, str) or self.value not in allowed:
            raise self.wrong(f"one of {', '.join(allowed)}")
        return self.value

    def wrong(self, allowed: str) -> ValueError:
        """The error that names the place, what is allowed there, and what was found."""
        found = type(self.value).__name__
        if isinstance(self.value, (str, float, bool)):
            found += f" {str(self.value)[:_SHOWN]!r}"
        elif isinstance(self.value, int):
            # Python refuses to write integers of thousands of digits.
            bits = self.value.bit_length()
            found += f" {self.value}" if bits <= 4 * _SHOWN else f" of {bits} bits"
        return ValueError(f"{self.path or 'the file'} must be {allowed}; got {found}")
