"""Where results come from; and that importing the package stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from delaystability.validation.provenance import git_commit, provenance


def test_provenance_names_versions_hardware_and_time(monkeypatch) -> None:
    # The metadata of some wheels leave the build out.
    monkeypatch.setattr(torch, "__version__", "2.13.0+cu130")
    found = provenance(device="cpu", dtype="float32")
    assert found.versions["torch"] == "2.13.0+cu130"
    assert found.versions["python"] == sys.version.split()[0]
    assert found.versions["delaystability"] and found.versions["numpy"] and found.versions["sympy"]
    assert (found.device, found.dtype) == ("cpu", "float32")
    assert found.threads == torch.get_num_threads()
    assert found.device_name and found.platform
    age = datetime.now(UTC) - datetime.fromisoformat(found.date)
    assert 0 <= age.total_seconds() < 60
    assert json.loads(json.dumps(found.to_dict()))["versions"] == found.versions


def test_a_commit_is_found_only_in_a_checkout_that_holds_the_folder(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    if git_commit(tmp_path) is not None:
        pytest.fail("the temporary folder lies in a checkout")
    git("init", "-q")
    assert git_commit(tmp_path) is None
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "file").write_text("1")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD")
    assert git_commit(tmp_path / "package") == commit
    (tmp_path / "package" / "file").write_text("2")
    assert git_commit(tmp_path / "package") == commit + "-dirty"
    (tmp_path / "installed").mkdir()
    assert git_commit(tmp_path / "installed") is None


@pytest.mark.parametrize(("device", "dtype"), [("nowhere", "float64"), ("cpu", "int8")])
def test_unknown_devices_and_dtypes_are_refused(device: str, dtype: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        provenance(device, dtype)


def test_importing_the_package_loads_no_torch() -> None:
    code = (
        "import sys, delaystability, delaystability.validation\n"
        "assert not {'torch', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
