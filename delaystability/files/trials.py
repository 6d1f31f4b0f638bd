"""What a sweep is made of: trials as plain data, in chunks that one process runs at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from delaystability.files.json_data import plain

__all__ = ["Chunk", "FinishedTrial", "Trial", "canonical"]


def canonical(value: Any, *, exact: bool = False) -> str:
    """The one JSON text of `plain` data: names sorted, no spaces, numbers that read back."""
    return json.dumps(
        plain(value, exact=exact), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


@dataclass(frozen=True)
class Trial:
    """One point of a sweep, known by its content alone.

    Attributes
    ----------
    experiment : str
    version : int
        Of the meaning of settings and results; another version is another trial.
    common_json, settings_json : str
        Canonical JSON of what all trials of the sweep share, and of this trial's own.
    """

    experiment: str
    version: int
    common_json: str
    settings_json: str

    @property
    def common(self) -> dict[str, Any]:
        """What all trials of the sweep share; a copy."""
        return dict(json.loads(self.common_json))

    @property
    def settings(self) -> dict[str, Any]:
        """Its own settings; a copy."""
        return dict(json.loads(self.settings_json))

    @property
    def key(self) -> str:
        """SHA-256 of the content, in hexadecimal: equal for equal trials, on every machine."""
        content = "\n".join(
            (self.experiment, str(self.version), self.common_json, self.settings_json)
        )
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Chunk:
    """Trials of one sweep that are run together, and recorded together or not at all.

    Parameters
    ----------
    trials : tuple of Trial, at least one
        With the same experiment, version and common settings.

    Raises
    ------
    ValueError
        If there is no trial, or they are not of one sweep.
    """

    trials: tuple[Trial, ...]

    def __post_init__(self) -> None:
        if not self.trials:
            raise ValueError("trials must hold at least one trial; got none")
        sweeps = {(trial.experiment, trial.version, trial.common_json) for trial in self.trials}
        if len(sweeps) > 1:
            raise ValueError(f"trials must be of one sweep; got {sorted(sweeps)}")

    @staticmethod
    def of(
        experiment: str,
        version: int,
        common: Mapping[str, Any],
        settings: Sequence[Mapping[str, Any]],
    ) -> Chunk:
        """A chunk with one trial for each of the settings.

        Raises
        ------
        ValueError, TypeError
            If there are no settings, or they are not plain finite data.
        """
        shared = _exact("common", common)
        return Chunk(
            tuple(
                Trial(experiment, version, shared, _exact("settings", entry)) for entry in settings
            )
        )

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return self.trials[0].experiment

    @property
    def version(self) -> int:
        """The version of the experiment's settings and results."""
        return self.trials[0].version

    @property
    def common(self) -> dict[str, Any]:
        """What all trials of the sweep share; a copy."""
        return self.trials[0].common

    @property
    def key(self) -> str:
        """SHA-256 of the trials' keys."""
        return hashlib.sha256("".join(trial.key for trial in self.trials).encode()).hexdigest()


@dataclass(frozen=True)
class FinishedTrial:
    """A trial and what came out.

    Attributes
    ----------
    trial : Trial
    result_json : str
        Canonical JSON of the result.
    """

    trial: Trial
    result_json: str

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the trial; a copy."""
        return self.trial.settings

    @property
    def common(self) -> dict[str, Any]:
        """What all trials of the sweep share; a copy."""
        return self.trial.common

    @property
    def result(self) -> dict[str, Any]:
        """What came out; a copy. None where a number was not finite."""
        return dict(json.loads(self.result_json))


def _exact(argument: str, content: Mapping[str, Any]) -> str:
    """Canonical JSON of settings, in which no number may get lost."""
    if not isinstance(content, Mapping):
        raise TypeError(f"{argument} must be a mapping from names to plain data; got {content!r}")
    try:
        return canonical(content, exact=True)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{argument} must be plain finite data; got {content!r}: {error}"
        ) from error
