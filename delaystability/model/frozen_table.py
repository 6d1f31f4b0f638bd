"""A mapping that does not change, so that frozen classes which hold one have a hash."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["FrozenTable"]


class FrozenTable(dict[Any, Any]):
    """Hold a table as a dict that refuses changes; copies of it are plain dicts.

    Raises
    ------
    TypeError
        If an entry is set or deleted, or if its hash is asked while a value has none.
    """

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("table must not be changed: make another one, and another object from it")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[FrozenTable], tuple[dict[Any, Any]]]:
        return FrozenTable, (dict(self),)
