"""What is installed, what works, and what each missing part disables."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tomllib
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["Check", "Diagnosis", "Package", "Program", "diagnose", "self_checks"]

_NAME = "delaystability"

_USES = {
    "accelerate": "the Hugging Face Trainer, which needs it",
    "dask": "sweeps on a cluster (--backend dask)",
    "jinja2": "the report of `verify` as a page",
    "joblib": "sweeps of experiments on all cores",
    "latex2mathml": "formulas in the report of `verify`",
    "lightning": "the stability monitor as a Lightning callback",
    "matplotlib": "pictures: `plot`, ds.plot and those of the experiments",
    "ray": "sweeps on a cluster (--backend ray), the parameter server as an actor",
    "scikit-learn": "the digits data of the experiments",
    "threadpoolctl": "one thread for each worker of a sweep",
    "torch": "training: `validate`, `verify` and the PyTorch tools",
    "transformers": "the stability monitor in the Hugging Face Trainer",
}
"""What an optional package is for, by its name in the package index."""

_PROGRAMS = (
    ("pdflatex", "PDFs of `derive all --format latex` and of the report"),
    ("cc", "the test of exported C"),
    ("c++", "the test of exported C++"),
    ("gfortran", "the test of exported Fortran"),
    ("rustc", "the test of exported Rust"),
    ("julia", "the test of exported Julia"),
    ("node", "the test of exported JavaScript"),
)

_FOR_DEVELOPERS = ("dev", "docs", "test")
_ULPS = 8


@dataclass(frozen=True)
class Package:
    """One dependency.

    Attributes
    ----------
    name : str
        In the package index.
    lowest, installed : str or None
        The lowest version that is declared, and the one that is installed.
    extras : tuple of str
        The extras that bring it; empty for the core and for what no extra brings.
    use : str
        What it is for; empty for the core.
    """

    name: str
    lowest: str | None
    installed: str | None
    extras: tuple[str, ...] = ()
    use: str = ""

    @property
    def state(self) -> str:
        """The word "ok", "missing" or "too old"."""
        if self.installed is None:
            return "missing"
        if self.lowest and _release(self.installed) < _release(self.lowest):
            return "too old"
        return "ok"


@dataclass(frozen=True)
class Program:
    """A program that something optional needs: its path, or None, and what it is for."""

    name: str
    path: str | None
    use: str


@dataclass(frozen=True)
class Check:
    """Something that was tried: its name, whether it worked, and what came out."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Diagnosis:
    """All that `diagnose` found.

    Attributes
    ----------
    version, location, python, platform : str
    core, optional : tuple of Package
    programs : tuple of Program
    devices : dict
        ``cpu_cores``, and with torch ``threads``, ``cuda`` (names), ``mps``; or ``error``.
    checks : tuple of Check
        What the core was tried on.
    """

    version: str
    location: str
    python: str
    platform: str
    core: tuple[Package, ...]
    optional: tuple[Package, ...]
    programs: tuple[Program, ...]
    devices: dict[str, Any]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether the core works: every check came out right."""
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with the state of each package and ``ok``."""
        data = asdict(self)
        for kind in ("core", "optional"):
            for entry, package in zip(data[kind], getattr(self, kind), strict=True):
                entry["state"] = package.state
        return {"ok": self.ok, **data}


def diagnose() -> Diagnosis:
    """Look at the installation and try the core. Loads torch if it is installed.

    Returns
    -------
    Diagnosis
    """
    from delaystability import __version__

    core, optional = _packages(_requirements())
    return Diagnosis(
        version=__version__,
        location=str(Path(__file__).parent.parent),
        python=platform.python_version(),
        platform=platform.platform(),
        core=core,
        optional=optional,
        programs=tuple(Program(name, shutil.which(name), use) for name, use in _PROGRAMS),
        devices=_devices(),
        checks=self_checks(),
    )


def self_checks() -> tuple[Check, ...]:
    """A threshold, a certificate and a derivation, each against what is known."""
    return tuple(_tried(name, test) for name, test in _TESTS)


def _threshold() -> str:
    """Heavy ball with delay 1 is stable below 1 - momentum."""
    from delaystability.model.catalogue import HeavyBall
    from delaystability.questions.bounds import stability_threshold

    found, known = stability_threshold(HeavyBall(0.9), 1), 0.1
    if not abs(found - known) <= _ULPS * sys.float_info.epsilon * known:
        raise ArithmeticError(f"heavy ball 0.9 with delay 1 gives {found!r}; right is {known}")
    return f"heavy ball 0.9, delay 1: {found:.15g}"


def _certificate() -> str:
    """An enclosure that holds, and holds the float."""
    from fractions import Fraction

    from delaystability.model.catalogue import HeavyBall
    from delaystability.numerics.certificates.certificate import certify
    from delaystability.questions.bounds import stability_threshold

    certificate = certify(HeavyBall(Fraction(9, 10)), 4)
    found = stability_threshold(HeavyBall(0.9), 4)
    near = _ULPS * sys.float_info.epsilon * found
    if not certificate.verify() or abs(float(certificate.lower) - found) > near:
        raise ArithmeticError(f"the certificate {certificate} does not hold for {found!r}")
    return str(certificate)


def _derivation() -> str:
    """Every step of the theorem on SGD."""
    from delaystability.theory.registry import checked

    report = checked("sgd").report
    if not report.ok:
        raise ArithmeticError(report.summary())
    return str(report.summary())


_TESTS = (("threshold", _threshold), ("certificate", _certificate), ("derivation", _derivation))


def _tried(name: str, test: Any) -> Check:
    try:
        return Check(name, True, test())
    except Exception as error:
        # Whatever a broken installation raises is what the user needs to see.
        return Check(name, False, f"{type(error).__name__}: {error}")


def _requirements() -> list[str]:
    """The declared dependencies, from the installed metadata or the checkout; empty if neither."""
    source = Path(__file__).parent.parent.parent / "pyproject.toml"
    if source.is_file():
        project = tomllib.loads(source.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == _NAME:
            extras = project.get("optional-dependencies", {})
            return list(project.get("dependencies", [])) + [
                f'{line}; extra == "{extra}"' for extra, lines in extras.items() for line in lines
            ]
    try:
        return metadata.requires(_NAME) or []
    except metadata.PackageNotFoundError:
        return []


def _packages(lines: list[str]) -> tuple[tuple[Package, ...], tuple[Package, ...]]:
    """Core and optional packages; what only developers need is left out."""
    core: dict[str, str | None] = {}
    lowest: dict[str, str | None] = dict.fromkeys(_USES)
    extras: dict[str, list[str]] = {name: [] for name in _USES}
    for line in lines:
        requirement, _, marker = line.partition(";")
        found = re.match(r"\s*([A-Za-z0-9._-]+)", requirement)
        name = re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""
        bound = re.search(r">=\s*([0-9][^,\s)]*)", requirement)
        version = bound[1] if bound else None
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        if name == _NAME or not name:
            continue
        if extra is None:
            core[name] = version
        elif extra[1] not in _FOR_DEVELOPERS:
            lowest[name] = version or lowest.get(name)
            extras.setdefault(name, []).append(extra[1])
    return (
        tuple(Package(name, core[name], _installed(name)) for name in sorted(core)),
        tuple(
            Package(name, lowest[name], _installed(name), tuple(extras[name]), _USES.get(name, ""))
            for name in sorted(lowest)
        ),
    )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, without what follows them: 2.13.0+cpu is (2, 13)."""
    numbers = [int(part) for part in re.findall(r"\d+", re.split(r"[+a-zA-Z]", version)[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _devices() -> dict[str, Any]:
    devices: dict[str, Any] = {"cpu_cores": os.cpu_count()}
    if find_spec("torch") is None:
        return devices
    try:
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        mps = getattr(torch.backends, "mps", None)
        return devices | {
            "threads": torch.get_num_threads(),
            "cuda": [torch.cuda.get_device_name(index) for index in range(count)],
            "mps": bool(mps is not None and mps.is_available()),
        }
    except Exception as error:
        return devices | {"error": f"torch does not work: {type(error).__name__}: {error}"}
