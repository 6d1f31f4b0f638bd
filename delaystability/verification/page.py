"""The report as one self-contained HTML page."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

from delaystability.theory.html import proof_html, reference_html, statement_html
from delaystability.theory.references import REFERENCES
from delaystability.validation.edge_result import BAND, EdgeRun
from delaystability.validation.figures import edge_figure, predicted_measured_figure
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
        runs=[_run(run, found) for run in found.edge.runs],
        band=BAND,
        counts=_counts(found),
        worst_ulps=max(row.relative_error for row in found.thresholds) * 2**52,
        figures={
            "edge": svg(edge_figure(found.edge)),
            "measured": svg(predicted_measured_figure(found.edge)),
            "certified": svg(certified_figure(found.thresholds)),
        },
        references=reference_html(sorted(REFERENCES)),
        provenance=found.edge.provenance.to_dict(),
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


def _run(run: EdgeRun, found: Verification) -> dict[str, Any]:
    from delaystability.numerics.certificate import certify
    from delaystability.optimizers import optimizer_from_name

    certificate = certify(optimizer_from_name(run.optimizer, **run.parameters), run.delay, 10)
    return {
        "setting": run.setting,
        "predicted": run.threshold,
        "lower": certificate.decimal(certificate.lower),
        "upper": certificate.decimal(certificate.upper),
        "measured": run.learning_rate * run.median_sharpness,
        "ratio": run.median,
        "controls": ", ".join(f"{title}: {value:.2f}" for title, value in run.controls.items()),
        "at_edge": run.at_edge,
        "updates": int(run.updates[-1]),
        "lr": run.learning_rate,
    }


def _counts(found: Verification) -> dict[str, int]:
    return {
        status: sum(getattr(report, status) for report in found.reports)
        for status in ("proved", "deduced", "cited", "tested", "failed")
    }
