"""The command ``delaystability``: thresholds, learning rates, derivations, certificates, checks."""

from __future__ import annotations

from delaystability.cli.app import app as app
from delaystability.cli.app import main as main
