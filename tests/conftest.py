"""One numerical thread for each test process: pytest already runs as many as there are cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
