"""The results as a page of Markdown."""

from __future__ import annotations

from typing import Any

__all__ = ["page"]


def page(results: dict[str, Any]) -> str:
    """Tables of the results that `benchmarks.measure.measure` returns."""
    source = results["provenance"]
    versions = ", ".join(
        f"{name} {version or '(not installed)'}" for name, version in source["versions"].items()
    )
    parts = [
        "# Benchmarks",
        "Written by `make bench` from `benchmarks.json`; every time is the least of several in one"
        " run on one machine, so ratios say more than times.",
        f"{source['date']}, commit `{source['commit']}`, {source['machine']}; {versions}.",
        "## One threshold",
        f"Bisection takes {results['bisection_steps']} steps from the bracket (0, 8): its error is"
        " that of the last step, over the threshold. Errors are taken against certified enclosures"
        " of 30 digits. Momentum is 0.9.",
        _thresholds(results["thresholds"]),
    ]
    if results["default_margins"]:
        parts += [
            "## Where a peer is wrong",
            "python-control's default margin is the crossing nearest to a loop gain of 1, not the"
            " first one, and it may leave its polynomials for a sampled frequency response that"
            " misses a crossing. Both can be avoided: ask at a small gain, with"
            " `method='poly'`. Heavy ball; entries are the answer over the threshold, 1 is right.",
            _margins(results["default_margins"], results["small_gain"]),
            "Too small a gain is no better: in float polynomials of high degree a spurious crossing"
            " can come first. Nesterov momentum 0.9, `method='poly'`:",
            _table(
                ["delay", "gain", "answer over threshold"],
                [
                    [str(row["delay"]), f"{row['gain']:g}", f"{row['answer']:.5g}"]
                    for row in results["tiny_gain_margins"]
                ],
            ),
        ]
    parts += [
        "## Whole grids",
        "A threshold for each entry of a 1000 x 1000 grid of delays 0 to 999 and momenta -0.9 to"
        " 0.99, in units of one `numpy.sin` of that grid"
        f" ({1e3 * results['grid']['sine_seconds']:.1f} ms).",
        _table(
            ["optimizer", "sines"],
            [[k, f"{v:.1f}"] for k, v in results["grid"].items() if k != "sine_seconds"],
        ),
        "## Certificates",
        "A proved enclosure of 50 digits.",
        _table(
            ["optimizer", "delay", "time"],
            [[r["optimizer"], str(r["delay"]), _time(r["seconds"])] for r in results["certify"]],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _thresholds(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        rivals = [
            other["seconds"]
            for other in rows
            if (other["optimizer"], other["delay"]) == (row["optimizer"], row["delay"])
            and other["method"].startswith("numpy.roots")
        ]
        lines.append(
            [
                row["optimizer"],
                str(row["delay"]),
                row["method"],
                _time(row["seconds"]),
                f"{rivals[0] / row['seconds']:,.3g}",
                f"{row['relative_error']:.1e}",
            ]
        )
    head = ["optimizer", "delay", "method", "time", "times faster than numpy.roots", "error"]
    return _table(head, lines)


def _margins(rows: list[dict[str, Any]], gain: float) -> str:
    head = ["momentum", "delay", "default, gain 1", f"default, gain {gain:g}"]
    head.append(f"method='poly', gain {gain:g}")
    keys = ("default_at_gain_1", "default_at_small_gain", "poly_at_small_gain")
    return _table(
        head,
        [
            [f"{row['momentum']:g}", str(row["delay"]), *(f"{row[key]:.5g}" for key in keys)]
            for row in rows
        ],
    )
