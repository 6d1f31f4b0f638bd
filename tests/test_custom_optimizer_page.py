"""The theorem shown on the page on custom optimizers is the one that is derived."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

import delaystability as ds

PAGE = Path(__file__).parent.parent / "docs" / "own_optimizer.md"


@pytest.mark.slow
def test_the_theorem_on_the_page_is_the_one_that_is_derived():
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    beta, nu = Fraction(9, 10), Fraction(7, 10)
    qhm = ds.LinearOptimizer({1: beta}, {0: 1 - nu * beta, 1: -(1 - nu) * beta})
    assert shown in ds.derive(qhm, delay=1).text()
