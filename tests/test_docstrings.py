"""The public docstrings say everything: parameters, returns, errors and sources.

What is public is ``ds.__all__`` with the public methods of its classes. Errors are tried out: every
argument is given as a thing of no use, and what is raised must be what the docstring announces.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import delaystability as ds
from delaystability.theory.references import LITERATURE
from delaystability.theory.registry import names as theorem_names

# What has no formula and no idea of someone else's in it, with the reason.
WITHOUT_SOURCE = {
    "Certificate": "a record; `certify` names the sources",
    "Delay": "an abstract base",
    "Derivation": "a record; each theorem names its own sources",
    "LinearOptimizer": "custom tables",
    "MeasuredDelay": "delays that a run measured",
    "Optimizer": "an abstract base",
    "PipelineSchedule": "an abstract base; each schedule names its own source",
    "LearningRateWarning": "a warning",
    "StabilityWarning": "a warning",
    "UndecidedError": "an error",
    "all_derivations": "each theorem names its own sources",
    "derive": "each theorem names its own sources",
    "stage_sharpness": "eigenvalues of blocks",
}
_SECTION = re.compile(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", flags=re.M)
_SEE = re.compile(r"see `([\w.]+)`")


def sections(docstring: str) -> dict[str, str]:
    """The text of each section of a docstring in numpy's format; the first has no name."""
    parts = _SECTION.split(inspect.cleandoc(docstring))
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def entries(section: str) -> dict[str, str]:
    """Name -> type for the entries of a section; "a, b : type" holds two."""
    found = {}
    for line in section.splitlines():
        if line and not line.startswith(" "):
            names, _, kind = line.partition(" : ")
            found |= {name.strip().lstrip("*"): kind for name in names.split(",")}
    return found


def _documented(found: Any) -> dict[str, str]:
    """The parameters that a docstring tells; "see `other`" counts if that one tells them."""
    told = sections(inspect.getdoc(found) or "")
    listed = entries(told.get("Parameters", told.get("Attributes", "")))
    for name, kind in listed.items():
        if other := _SEE.search(kind):
            target = getattr(ds, other[1], None)
            if target is None or name not in _documented(target):
                listed = {key: value for key, value in listed.items() if key != name}
    return listed


def _parameters(found: Any) -> list[str]:
    return [name for name in inspect.signature(found).parameters if name not in ("self", "cls")]


def _raised_here(found: Callable[..., Any]) -> set[str]:
    """The errors that the function itself raises by name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(found))))
    calls = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    return {
        call.func.id
        for call in calls
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id[0].isupper()
    }


def gaps(name: str, found: Any, kind: str) -> list[str]:
    """What the docstring of a function, class, method or property lacks."""
    told = sections(found.__doc__ or "")
    missing = [] if told[""].strip() else ["summary"]
    if kind == "property":
        return missing
    if kind != "exception" and told[""].split(" ")[0] in ("The", "A", "An", "What", "Whether"):
        missing.append("what it does, first")
    parameters = [] if kind == "exception" else _parameters(found)
    documented = _documented(found)
    missing += [f"parameter {p}" for p in parameters if p not in documented]
    if kind != "class" or "Parameters" in told:
        missing += [f"no such parameter: {p}" for p in documented if p not in parameters]
    gives_something = inspect.isroutine(found) and (
        inspect.signature(found).return_annotation not in (None, "None")
    )
    if kind in ("function", "method") and gives_something and not told.get("Returns", "").strip():
        missing.append("returns")
    if kind == "function" and parameters and "Raises" not in told:
        missing.append("raises")
    if kind in ("function", "method"):
        announced = entries(told.get("Raises", ""))
        missing += [f"error {error}" for error in _raised_here(found) if error not in announced]
    if "." not in name and name not in WITHOUT_SOURCE:
        inline = re.findall(r"Source: .*?(?:\n\n|\Z)", told[""], flags=re.S)
        missing += _unsourced("\n".join([told.get("References", ""), *inline]))
    return missing


def _unsourced(references: str) -> list[str]:
    """A source is a theorem of the registry, or literature with a year."""
    theorems = re.findall(r"``([\w-]+)``", references)
    unknown = [f"no such theorem: {name}" for name in theorems if name not in theorem_names()]
    if not theorems and not re.search(r"\b(19|20)\d\d\b", references):
        return [*unknown, "source"]
    return unknown


def public() -> Iterator[tuple[str, Any, str]]:
    """Every public function, class, method and property: its name, itself, and its kind."""
    for name in ds.__all__:
        found = getattr(ds, name)
        if inspect.isclass(found):
            yield name, found, "exception" if issubclass(found, BaseException) else "class"
            yield from _members(name, found)
        elif callable(found):
            yield name, found, "function"


def _members(name: str, cls: type) -> Iterator[tuple[str, Any, str]]:
    ours = [base for base in cls.__mro__ if base.__module__.startswith(ds.__name__)]
    for member in dict.fromkeys(member for base in ours for member in vars(base)):
        static = inspect.getattr_static(cls, member)
        kind = "property" if isinstance(static, property) else "method"
        found = static if kind == "property" else getattr(cls, member)
        if member.startswith("_") or not (kind == "property" or inspect.isroutine(found)):
            continue
        # One that only fills in what a base class documents inherits its docstring.
        inherited = [vars(base)[member].__doc__ for base in ours if member in vars(base)]
        if found.__doc__ or not any(inherited):
            yield f"{name}.{member}", found, kind


PUBLIC = list(public())


@pytest.mark.quick(95)
@pytest.mark.parametrize(("name", "found", "kind"), PUBLIC, ids=[entry[0] for entry in PUBLIC])
def test_every_parameter_return_error_and_source_is_documented(name, found, kind):
    assert gaps(name, found, kind) == []


def test_the_check_sees_all_that_is_public():
    assert len(PUBLIC) > 55
    seen = {name for name, _, _ in PUBLIC}
    assert {"SGD", "Certificate.verify", "Derivation.latex", "Delay.mean", "certify"} <= seen
    # What a class inherits is documented with it.
    assert "Derivation.with_step" in seen
    assert set(ds.__all__) - seen <= {"CATALOGUE", "plot"}
    assert not set(WITHOUT_SOURCE) - set(ds.__all__) - {"UndecidedError"}


@pytest.mark.parametrize(
    ("pattern", "replacement", "gap"),
    [
        (r"moment : \"mean\"", 'instant : "mean"', "parameter moment"),
        (r"moment : \"mean\"", 'instant : "mean"', "no such parameter: instant"),
        (r"Returns\n-------\nfloat[^\n]*\n[^\n]*\n", "", "returns"),
        (r"Raises\n------\n[^\n]*\n[^\n]*\n", "", "raises"),
        (r"``nesterov``", "``newton``", "no such theorem: newton"),
        (r"References\n-{10}\n.*", "", "source"),
        (r"^.*?Parameters", "\n\nParameters", "summary"),
        (r"^\s*Find", "The largest gain. Find", "what it does, first"),
    ],
)
def test_a_gap_is_noticed(pattern, replacement, gap):
    whole = inspect.getdoc(ds.stability_threshold)

    def stability_threshold(
        optimizer, delay, *, curvature_noise=0.0, moment=None, decay=0.0, coupled=False
    ):
        return None

    stability_threshold.__doc__ = whole
    assert gaps("stability_threshold", stability_threshold, "function") == []
    stability_threshold.__doc__ = re.sub(pattern, replacement, whole, count=1, flags=re.S)
    assert stability_threshold.__doc__ != whole
    assert gap in gaps("stability_threshold", stability_threshold, "function")


def test_an_error_that_is_raised_but_not_announced_is_noticed():
    def wrong(delay):
        """Refuse.

        Parameters
        ----------
        delay : int

        Returns
        -------
        None

        Raises
        ------
        TypeError
        """
        raise ValueError(delay)

    assert "error ValueError" in gaps("method.wrong", wrong, "method")


def test_a_reference_to_a_function_that_does_not_tell_the_parameter_is_noticed():
    def wrong(optimizer, sharpness):
        """Call.

        Parameters
        ----------
        optimizer, sharpness : see `stability_threshold`
        """

    assert "optimizer" in _documented(wrong)
    assert "sharpness" not in _documented(wrong)


def test_literature_in_docstrings_is_dated_as_in_the_bibliography():
    years = {str(entry.year) for entry in LITERATURE.values()}
    named = {"Polyak": "1964", "Kingma": "2015", "Marden": "1966", "Elaydi": "2005"}
    for author, year in named.items():
        assert year in years
        sources = [sections(f.__doc__).get("References", "") for _, f, k in PUBLIC if f.__doc__]
        assert any(author in source and year in source for source in sources)


# One good call of everything that takes an argument.
GOOD: dict[str, dict[str, Any]] = {
    "GPipe": {"stages": 3},
    "PipeDream": {"stages": 3, "vertical_sync": False},
    "PipeDream2BW": {"stages": 3},
    "PipelinedBackpropagation": {"stages": 3},
    "Adam": {"beta1": 0.9, "beta2": 0.999},
    "BoundedDelay": {"max_delay": 3},
    "bounded_delay_threshold": {
        "optimizer": ds.SGD(),
        "max_delay": 3,
        "decay": 0.1,
        "coupled": True,
    },
    "EMAMomentum": {"momentum": 0.9},
    "FixedDelay": {"delay": 4},
    "GeometricDelay": {"ratio": 0.5},
    "HeavyBall": {"momentum": 0.9},
    "Lion": {"beta1": 0.9, "beta2": 0.99},
    "Muon": {"momentum": 0.95, "nesterov": True},
    "NAdam": {"beta1": 0.9, "beta2": 0.999},
    "RMSProp": {"alpha": 0.99, "momentum": 0.0},
    "SignSGD": {"momentum": 0.0},
    "LinearOptimizer": {"feedback": {1: 0.5}, "feedforward": {0: 1.0}},
    "MeasuredDelay": {"sequence": [1, 2, 3]},
    "MixedRead": {"weights": [0.25, 0.75]},
    "Nesterov": {"momentum": 0.9},
    "OuterLoop": {
        "optimizer": ds.Nesterov(0.9),
        "inner_learning_rate": 0.1,
        "inner_steps": 5,
        "delay": 0,
        "sync_delay": 2,
        "alpha": 0.5,
        "workers": 2,
        "eager": False,
        "delayed_nesterov": False,
    },
    "RandomDelay": {"pmf": [0.5, 0.5]},
    "ShiftedMomentum": {"momentum": 0.9},
    "SpikeCompensation": {"momentum": 0.9},
    "WeightPrediction": {"momentum": 0.9, "horizon": 2.0},
    "adjust_learning_rate": {
        "decay": 0.1,
        "new_decay": 0.1,
        "coupled": True,
        "lr": 0.1,
        "optimizer": ds.SGD(),
        "delay": 0,
        "new_delay": 4,
        "new_optimizer": ds.HeavyBall(0.5),
        "curvature_noise": 0.0,
        "new_curvature_noise": 0.0,
        "moment": "mean",
        "sharpness": 2.0,
    },
    "almost_sure_threshold": {
        "decay": 0.1,
        "coupled": True,
        "optimizer": ds.SGD(),
        "delay": 1,
        "curvature_noise": 0.0,
        "updates": 1000,
        "seed": 0,
    },
    "batch_sharpness_edge": {"optimizer": ds.SGD(), "delay": 1, "noise": 0.5},
    "best_optimizer": {"delay": 1, "condition_number": 100.0},
    "certify": {"optimizer": ds.SGD(), "delay": 1, "digits": 5},
    "crossings": {"decay": 0.1, "coupled": True, "optimizer": ds.SGD(), "delay": 1},
    "derive": {"optimizer": ds.SGD(), "delay": 1},
    "escape_rate": {"decay": 0.1, "coupled": True, "optimizer": ds.SGD(), "delay": 1, "gain": 0.5},
    "export": {"language": "c", "folder": None, "optimizers": ["sgd"], "samples": 1},
    "fastest_gain": {"decay": 0.1, "coupled": True, "optimizer": ds.SGD(), "delay": 1},
    "is_stable": {
        "decay": 0.1,
        "coupled": True,
        "lr": 0.1,
        "sharpness": 2.0,
        "optimizer": ds.SGD(),
        "delay": 1,
        "curvature_noise": 0.0,
        "moment": "mean",
    },
    "max_delay": {
        "every_sequence": False,
        "decay": 0.1,
        "coupled": True,
        "lr": 0.1,
        "sharpness": 2.0,
        "optimizer": ds.SGD(),
    },
    "max_learning_rate": {
        "decay": 0.1,
        "coupled": True,
        "sharpness": 2.0,
        "optimizer": ds.SGD(),
        "delay": 1,
        "curvature_noise": 0.0,
        "moment": "mean",
    },
    "mean_square_learning_rate": {
        "hessians": [[[1.0]], [[2.0]]],
        "optimizer": ds.SGD(),
        "delay": 1,
        "batch_size": 2,
    },
    "max_momentum": {
        "decay": 0.1,
        "coupled": True,
        "lr": 0.1,
        "sharpness": 2.0,
        "optimizer": "heavy-ball",
        "delay": 1,
    },
    "max_sharpness": {
        "decay": 0.1,
        "coupled": True,
        "lr": 0.1,
        "optimizer": ds.SGD(),
        "delay": 1,
        "curvature_noise": 0.0,
        "moment": "mean",
    },
    "probe_learning_rates": {
        "train": lambda rate, updates: [rate] * updates,
        "lr": 0.1,
        "optimizer": ds.HeavyBall(0.9),
        "delay": 8,
        "updates": 100,
        "rates": [0.01, 0.1],
    },
    "oscillation": {
        "lr": 0.1,
        "optimizer": ds.Adam(),
        "delay": 4,
        "curvature": 1.0,
        "eps": 0.0,
        "noise": 0.0,
        "weight_decay": 0.0,
        "minimum": 0.0,
        "clip": None,
    },
    "recommend_learning_rate": {
        "lr": 0.1,
        "optimizer": ds.HeavyBall(0.9),
        "delay": 8,
        "sharpness": 2.0,
        "goal": "train",
    },
    "replay_gains": {
        "decay": 0.1,
        "coupled": True,
        "optimizer": ds.SGD(),
        "sequence": [1, 2, 3, 1, 2, 3] * 50,
    },
    "replay_threshold": {
        "decay": 0.1,
        "coupled": True,
        "optimizer": ds.SGD(),
        "sequence": [1, 2, 3, 1, 2, 3] * 50,
    },
    "spectral_radius": {
        "decay": 0.1,
        "coupled": True,
        "optimizer": ds.SGD(),
        "delay": 1,
        "gain": 0.5,
    },
    "safe_stage_learning_rate": {
        "sharpness": 2.0,
        "optimizer": ds.SGD(),
        "delays": [1, 0],
        "stage_sharpness": [1.0, 2.0],
        "rates": [1.0, 2.0],
        "tolerance": 1e-3,
    },
    "stage_sharpness": {"hessian": [[2.0, 1.0], [1.0, 2.0]], "sizes": [1, 1]},
    "stage_spectral_radius": {
        "lr": 0.1,
        "hessian": [[2.0, 1.0], [1.0, 2.0]],
        "optimizer": ds.SGD(),
        "delays": [1, 0],
        "sizes": [1, 1],
        "rates": [1.0, 2.0],
    },
    "stage_threshold": {
        "hessian": [[2.0, 1.0], [1.0, 2.0]],
        "optimizer": ds.SGD(),
        "delays": [1, 0],
        "sizes": [1, 1],
        "rates": [1.0, 2.0],
        "tolerance": 1e-3,
    },
    "stability_threshold": {
        "decay": 0.1,
        "coupled": True,
        "optimizer": ds.SGD(),
        "delay": 1,
        "curvature_noise": 0.0,
        "moment": "mean",
    },
    "Loop": {"optimizer": ds.SGD(), "delay": 1, "decay": 0.1, "coupled": True},
    "stable_gains": {"decay": 0.1, "coupled": True, "optimizer": ds.SGD(), "delay": 1},
    "stationary_variance": {
        "decay": 0.1,
        "coupled": True,
        "optimizer": ds.SGD(),
        "delay": 1,
        "gain": 0.5,
        "curvature_noise": 0.0,
    },
}
CASES = [(name, argument) for name, call in GOOD.items() for argument in call]


@pytest.mark.quick(67)
@pytest.mark.parametrize(("name", "argument"), CASES)
def test_what_is_raised_for_a_useless_argument_is_announced(name, argument, tmp_path):
    found = getattr(ds, name)
    announced = tuple(
        error
        for text in entries(sections(found.__doc__)["Raises"])
        if isinstance(error := __builtins__.get(text), type)
    )
    call = dict(GOOD[name])
    if "folder" in call:
        call["folder"] = tmp_path / "export"
    with pytest.raises(announced, match=rf"\b{argument}\b"):
        found(**{**call, argument: object()})


def test_every_function_with_arguments_is_tried():
    takes = {
        name
        for name, found, kind in PUBLIC
        if "." not in name and kind in ("function", "class") and _parameters(found)
    }
    records = {
        "BoundedDelayThreshold",
        "BestOptimizer",
        "Certificate",
        "Derivation",
        "PipelineSchedule",
    }
    records |= {"ProbedRecommendation", "Recommendation"}
    # They take a model of torch, and are tried in tests of their own.
    training = {"DelayAwareLR", "DelayedOptimizer", "StabilityMonitor", "delayed", "sharpness"}
    training |= {"final_learning_rate", "loss_floor"}
    assert takes - set(GOOD) <= records | training
