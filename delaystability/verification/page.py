"""The report as one self-contained HTML page."""

from __future__ import annotations

from base64 import b64encode
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

from delaystability.theory.html import proof_html, reference_html, statement_html
from delaystability.theory.references import REFERENCES
from delaystability.validation.experiment import ExperimentResult
from delaystability.verification.figures import certified_figure, svg

if TYPE_CHECKING:
    from delaystability.verification.job import Verification

__all__ = ["page"]


def page(found: Verification) -> str:
    """Verdict, figures, the table predicted / certified / measured, proofs and provenance."""
    source = files("delaystability.verification").joinpath("page.html").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters["significant"] = lambda value, digits=6: f"{value:.{digits}g}"
    return environment.from_string(source).render(
        found=found,
        theorems=_theorems(found),
        experiments=[_experiment(result) for result in found.experiments],
        findings=[line.holds for result in found.experiments for line in result.verdict.lines],
        counts=_counts(found),
        worst_ulps=max(row.relative_error for row in found.thresholds) * 2**52,
        certified=svg(certified_figure(found.thresholds)),
        references=reference_html(sorted(REFERENCES)),
        settings=found.experiments[0].settings,
        provenance=found.experiments[0].provenance.to_dict(),
    )


def _theorems(found: Verification) -> list[dict[str, Any]]:
    return [
        {
            "name": derivation.name,
            "title": derivation.theorem.title,
            "kind": derivation.theorem.kind,
            "status": derivation.status_from(report),
            "summary": report.summary().split(": ", 1)[1],
            "statement": statement_html(derivation),
            "proof": proof_html(derivation, report),
        }
        for derivation, report in zip(found.derivations, found.reports, strict=True)
    ]


def _experiment(result: ExperimentResult) -> dict[str, Any]:
    return {
        "name": result.experiment.name,
        "title": result.experiment.title,
        "holds": result.verdict.holds,
        "lines": result.verdict.lines,
        "size": result.settings["size"],
        "trials": result.sweep.trials,
        "seconds": result.seconds,
        "networks": [_network(cell) for cell in _cells(result)],
        "figures": [
            {"data": b64encode(path.read_bytes()).decode(), "name": path.stem}
            for path in result.figures
        ],
    }


def _cells(result: ExperimentResult) -> list[dict[str, Any]]:
    """What the edge experiment measured for each optimizer and delay; empty for the others."""
    if result.experiment.name != "edge":
        return []
    return [cell for line in result.verdict.lines for cell in line.statistics.get("cells", [])]


def _network(cell: dict[str, Any]) -> dict[str, Any]:
    from delaystability.numerics.certificate import certify
    from delaystability.optimizers import CATALOGUE

    parameters = {} if cell["momentum"] is None else {"momentum": cell["momentum"]}
    optimizer = CATALOGUE[cell["optimizer"]](**parameters)
    certificate = certify(optimizer, cell["delay"], 10)
    own = f" (momentum {cell['momentum']:g})" if parameters else ""
    controls = [
        f"{title}: {value:.2f}"
        for titles in cell["controls"].values()
        for title, value in titles.items()
    ]
    return {
        "setting": f"{optimizer.title}{own}, delay {cell['delay']}",
        "predicted": cell["threshold"],
        "lower": certificate.decimal(certificate.lower),
        "upper": certificate.decimal(certificate.upper),
        "measured": cell["ratio"]["value"] * cell["threshold"],
        "ratio": cell["ratio"],
        "controls": ", ".join(controls),
        "at_edge": cell["at_edge"],
    }


def _counts(found: Verification) -> dict[str, int]:
    return {
        status: sum(getattr(report, status) for report in found.reports)
        for status in ("proved", "deduced", "cited", "tested", "failed")
    }
