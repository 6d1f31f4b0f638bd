"""Exports that compute the theorems beside them once."""

from __future__ import annotations

import sys
from functools import cache

import pytest

from delaystability.translation.export import export

_WRITER = sys.modules[export.__module__]
theorems_text = _WRITER._bounds
"""The text of `bounds.json`, computed anew."""


@cache
def _theorems_text_once(names):
    return theorems_text(list(names))


@pytest.fixture(name="one_bounds_file", scope="module")
def one_bounds_file_fixture():
    """In these tests `bounds.json` is computed once in a process for the same optimizers.

    It takes three seconds, and does not depend on the language.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_WRITER, "_bounds", lambda names: _theorems_text_once(tuple(names)))
        yield
