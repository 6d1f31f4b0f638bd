"""What a pool of workers is told before any of them computes."""

from __future__ import annotations

from math import inf, nan

import pytest

pytest.importorskip("torch")

from delaystability.server.worker_pool import _checked_pauses


@pytest.mark.parametrize("pauses", [{2: 0.1}, {-1: 0.1}, {0: 0.0, 3: 0.0}, {"0": 0.1}])
def test_a_pause_of_a_worker_that_is_not_there_is_refused(pauses):
    with pytest.raises(ValueError, match="pauses must map workers 0 to 1 to seconds, 0 to 3600"):
        _checked_pauses(pauses, 2)


@pytest.mark.parametrize("seconds", [-1e-9, 3600, inf, nan])
def test_a_pause_that_is_no_time_is_refused(seconds):
    with pytest.raises(ValueError, match=f"got 1: {seconds!r}"):
        _checked_pauses({0: 0.5, 1: seconds}, 2)


def test_pauses_are_handed_on_in_nanoseconds():
    assert _checked_pauses({1: 2.5, 0: 0}, 2) == {1: 2_500_000_000, 0: 0}
    assert _checked_pauses({}, 2) == {}
