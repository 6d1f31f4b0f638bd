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
        " run on one machine, so ratios say more than times. Every public call at its largest"
        " arguments: [largest_arguments.md](largest_arguments.md), by"
        " `python -m benchmarks.limits`.",
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
    if "training" in results:
        parts += ["## Training", *_training(results["training"])]
    if "curvature" in results:
        parts += ["## Sharpness of many networks", *_curvature(results["curvature"])]
    if "delayed_optimizer" in results:
        from benchmarks.delayed_optimizer import delayed_optimizer_lines

        parts += ["## Delayed optimizer", *delayed_optimizer_lines(results["delayed_optimizer"])]
    return "\n\n".join(parts) + "\n"


def _training(found: dict[str, Any]) -> list[str]:
    head = ["replicas", "updates a second", "times a plain loop", "share of matrix-product rate"]
    rows = [
        [
            str(row["replicas"]),
            f"{row['updates_per_second']:,.0f}",
            f"{row['ratio_to_plain_loop']:.1f}",
            f"{100 * row['share_of_matrix_product_rate']:.0f} %",
        ]
        for row in found["engine"]
    ]
    return [
        "A 64-32-10 tanh network, mini-batches of 128 of each replica's own, delays 0 to 32 mixed,"
        f" single precision, {found['threads']} threads. The plain loop trains one model with a"
        " deque of past weights and `torch.optim.SGD`:"
        f" {found['plain_updates_per_second']:,.0f} updates a second. Matrix products of size 2048"
        f" reach {found['matrix_product_rate'] / 1e9:.0f} GFLOP/s; peak memory"
        f" {found['peak_memory_mebibytes']:,.0f} MiB. On a GPU:"
        " `python -m benchmarks.training --device cuda`.",
        _table(head, rows),
    ]


def _curvature(found: dict[str, Any]) -> list[str]:
    head = ["residual asked for", "method", "time", "times the first", "error", "residual bound"]
    return [
        f"The largest Hessian eigenvalue of each of {found['replicas']} networks 64-32-10 on"
        f" {found['samples']} digits, {found['threads']} threads. A peer takes them one by one and"
        " reports no bound.",
        _table(
            head,
            [
                [
                    f"{row['tolerance']:g}",
                    row["method"],
                    _time(row["seconds"]),
                    f"{row['times_seconds']:.1f}",
                    f"{row['relative_error']:.0e}",
                    "" if row["residual_bound"] is None else f"{row['residual_bound']:.0e}",
                ]
                for row in found["rows"]
            ],
        ),
    ]


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
