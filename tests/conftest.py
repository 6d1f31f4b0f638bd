"""One numerical thread for each test process, and the same hypothesis examples in every run."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

# A run is repeatable; explore with `--hypothesis-profile=explore`.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore", max_examples=1000)
settings.load_profile("repeatable")
