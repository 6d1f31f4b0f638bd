"""The languages that programs are written in: one short file for each."""

from __future__ import annotations

from delaystability.translation.languages.c import C
from delaystability.translation.languages.cpp import Cpp
from delaystability.translation.languages.fortran import Fortran
from delaystability.translation.languages.javascript import JavaScript
from delaystability.translation.languages.jax import Jax
from delaystability.translation.languages.julia import Julia
from delaystability.translation.languages.language import Language
from delaystability.translation.languages.python import Python
from delaystability.translation.languages.rust import Rust
from delaystability.translation.languages.torch import Torch

__all__ = ["LANGUAGES", "Language"]

LANGUAGES: dict[str, type[Language]] = {
    language.name: language
    for language in (C, Cpp, Fortran, Jax, JavaScript, Julia, Python, Rust, Torch)
}
"""The languages by name."""
