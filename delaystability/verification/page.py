"""The report as one self-contained HTML page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from delaystability.printing.bibliography import REFERENCES
from delaystability.printing.collection import entries
from delaystability.printing.html import proof_html, reference_html, statement_html
from delaystability.verification.contents import (
    BANNER,
    Picture,
    contents,
    enclosure,
    slug,
)
from delaystability.verification.figures import certified_figure, svg
from delaystability.verification.verification import Verification

__all__ = ["page"]


def page(found: Verification, beside: Sequence[str] = ()) -> str:
    """Verdict, predicted / certified / measured, experiments, theorems with proofs, provenance.

    Nothing is loaded from elsewhere, and no script is needed. Links lead to places of the page and
    to the files of the job beside it.

    Parameters
    ----------
    found : Verification
    beside : sequence of file names
        Further files of the report folder to link to, such as ``report.pdf``.
    """
    source = files("delaystability.verification")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {
        "significant": lambda value, digits=6: f"{value:.{digits}g}",
        "enclosure": enclosure,
        "slug": slug,
        "image": _image,
        "statement": statement_html,
        "proof": proof_html,
        "steps": lambda entry: entry.report.summary().split(": ", 1)[1],
    }
    shown = contents(found)
    return environment.from_string(source.joinpath("page.html").read_text("utf-8")).render(
        style=source.joinpath("page.css").read_text("utf-8"),
        it=shown,
        found=found,
        beside=list(beside),
        banner=BANNER[found.outcome],
        entries=entries(shown.chapters),
        certified=svg(certified_figure(found.thresholds)),
        references=reference_html(sorted(REFERENCES)),
    )


def _image(picture: Picture) -> str:
    return f"data:image/png;base64,{b64encode(picture.path.read_bytes()).decode()}"
