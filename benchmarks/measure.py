"""Measure every peer and this package in one run."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import delaystability as ds
from benchmarks.peers import PEERS, SMALL_GAIN, STEPS, control_margin

__all__ = ["measure", "provenance"]

PACKAGES = ("numpy", "scipy", "mpmath", "python-flint", "control", "slycot")
DELAYS = (4, 16, 64)
OPTIMIZERS = (ds.HeavyBall(0.9), ds.ShiftedMomentum(0.9), ds.Nesterov(0.9))


def measure() -> dict[str, Any]:
    """Times in seconds, relative errors and ratios, with what they were measured on."""
    installed = {package: _version(package) for package in PACKAGES}
    missing = [peer.package for peer in PEERS if installed.get(peer.package) is None]
    for package in missing:
        print(f"{package} is not installed: left out")
    return {
        "provenance": provenance()
        | {
            "versions": {"python": platform.python_version(), "delaystability": ds.__version__}
            | installed,
        },
        "bisection_steps": STEPS,
        "small_gain": SMALL_GAIN,
        "thresholds": [row for optimizer in OPTIMIZERS for row in _rows(optimizer, missing)],
        "default_margins": [] if "control" in missing else _default_margins(),
        "tiny_gain_margins": [] if "control" in missing else _tiny_gain_margins(),
        "grid": _grid(),
        "certify": _certify(),
    }


def provenance() -> dict[str, Any]:
    """When, at which commit and on what it was measured."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
    }


def _seconds(call: Callable[[], Any], repeats: int = 5, calls: int = 1) -> float:
    """The least mean time of ``calls`` calls: the one that other load disturbed least."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        for _ in range(calls):
            call()
        times.append((perf_counter() - start) / calls)
    return min(times)


def _reference(optimizer: ds.Optimizer, delay: int) -> float:
    certificate = ds.certify(optimizer, delay, digits=30)
    return float((certificate.lower + certificate.upper) / 2)


def _rows(optimizer: ds.Optimizer, missing: list[str]) -> list[dict[str, Any]]:
    rows = []
    for delay in DELAYS:
        exact = _reference(optimizer, delay)

        def row(
            method: str, seconds: float, found: float, delay: int = delay, exact: float = exact
        ) -> dict[str, Any]:
            return {
                "optimizer": optimizer.title,
                "momentum": optimizer.parameters["momentum"],
                "delay": delay,
                "method": method,
                "seconds": seconds,
                "relative_error": abs(found / exact - 1),
            }

        for peer in PEERS:
            if peer.package in missing or delay > peer.largest_delay:
                continue
            found = peer.threshold(optimizer, delay)
            repeats = 2 if peer.package == "mpmath" else 5
            time = _seconds(lambda peer=peer: peer.threshold(optimizer, delay), repeats)  # noqa: B023
            rows.append(row(peer.method, time, found))
        found = ds.stability_threshold(optimizer, delay)
        time = _seconds(lambda: ds.stability_threshold(optimizer, delay), 20, 20)  # noqa: B023
        rows.append(row("delaystability, one call", time, found))
        momenta = np.full(10**5, optimizer.parameters["momentum"])
        many = type(optimizer)(momenta)  # type: ignore[call-arg]
        time = _seconds(lambda: ds.stability_threshold(many, delay)) / momenta.size  # noqa: B023
        found = float(ds.stability_threshold(many, delay)[-1])
        rows.append(row("delaystability, one entry of 100,000", time, found))
    return rows


def _default_margins() -> list[dict[str, Any]]:
    """What python-control returns by default, over the threshold, at two loop gains."""
    rows = []
    for momentum in (0.0, 0.9, 0.99):
        for delay in DELAYS:
            optimizer = ds.HeavyBall(momentum)
            exact = _reference(optimizer, delay)
            rows.append(
                {
                    "momentum": momentum,
                    "delay": delay,
                    "default_at_gain_1": control_margin(optimizer, delay, 1.0) / exact,
                    "default_at_small_gain": control_margin(optimizer, delay, SMALL_GAIN) / exact,
                    "poly_at_small_gain": control_margin(
                        optimizer, delay, SMALL_GAIN, method="poly"
                    )
                    / exact,
                }
            )
    return rows


def _tiny_gain_margins() -> list[dict[str, Any]]:
    """What its polynomial method returns for Nesterov momentum at too small a loop gain."""
    optimizer = ds.Nesterov(0.9)
    return [
        {
            "delay": delay,
            "gain": gain,
            "answer": control_margin(optimizer, delay, gain, method="poly")
            / _reference(optimizer, delay),
        }
        for delay in DELAYS
        for gain in (SMALL_GAIN, SMALL_GAIN / 100)
    ]


def _grid() -> dict[str, float]:
    """Times over that of numpy.sin on the same 1000 x 1000 grid of delays and momenta."""
    delays, momenta = np.meshgrid(np.arange(1000), np.linspace(-0.9, 0.99, 1000), indexing="ij")
    sine = _seconds(lambda: np.sin(momenta), 9)
    ratios = {"sine_seconds": sine}
    for cls in (ds.HeavyBall, ds.EMAMomentum, ds.ShiftedMomentum, ds.Nesterov):
        optimizer = cls(momenta)
        repeats = 3 if cls is ds.Nesterov else 9
        time = _seconds(
            lambda optimizer=optimizer: ds.stability_threshold(optimizer, delays), repeats
        )
        ratios[cls.title] = time / sine
    return ratios


def _certify() -> list[dict[str, Any]]:
    return [
        {
            "optimizer": optimizer.title,
            "delay": delay,
            "digits": 50,
            "seconds": _seconds(
                lambda optimizer=optimizer, delay=delay: ds.certify(optimizer, delay, digits=50), 3
            ),
        }
        for optimizer, delay in [(ds.HeavyBall(0.9), 1000), *((o, 64) for o in OPTIMIZERS)]
    ]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
