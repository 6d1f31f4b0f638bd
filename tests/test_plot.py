"""What the pictures show is what the library says: lines, marks, bars and shades."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import delaystability as ds
import delaystability.plot as plot
from delaystability.files.trials import Chunk, canonical
from delaystability.numerics.tables.loop_filter import loop_filter
from delaystability.plot import radius
from delaystability.plot.roots import locus
from delaystability.plot.staleness import ImpliedThresholds
from delaystability.plot.style import STABLE, UNSTABLE
from delaystability.validation.sweeps.store import Description, Store
from tests.helpers import EPS, WITH_MOMENTUM, largest_root, make

# Here the number is asked for, not advice.
pytestmark = pytest.mark.filterwarnings("ignore::delaystability.LearningRateWarning")

EDGE = Path(__file__).parent.parent / "docs" / "validation" / "edge" / "edge.json"
MOMENTUM = EDGE.parent.parent / "momentum" / "momentum.json"
LOG = ds.MeasuredDelay.from_log([3, 2, 4, 3, 5, 3, 3, 2, 0, 9])
REVERSED = ds.LinearOptimizer({1: 0.94, 2: -0.55}, {0: 0.74, 1: -0.27, 2: 0.29})


def line(axes: Axes, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    drawn = axes.get_lines()[number]
    return np.asarray(drawn.get_xdata(), float), np.asarray(drawn.get_ydata(), float)


def named(axes: Axes, gid: str) -> np.ndarray:
    """The marks or lines with this name, as complex numbers."""
    lines = [entry for entry in axes.get_lines() if entry.get_gid() == gid]
    return np.concatenate([entry.get_xdata() + 1j * entry.get_ydata() for entry in lines])


# The map


@pytest.mark.quick(4)
@pytest.mark.parametrize("name", list(ds.CATALOGUE))
def test_the_line_of_the_map_is_the_threshold(name):
    optimizer = make(name, 0.7)
    delays, rates = line(plot.stability_map(optimizer, [0, 1, 2, 5, 9], axes=Figure().subplots()))
    expected = ds.stability_threshold(optimizer, [0, 1, 2, 5, 9])
    assert np.array_equal(delays, [0, 1, 2, 5, 9])
    # The same kernel, for one delay and for an array of them.
    assert np.all(np.abs(rates - expected) <= 8 * EPS * expected)
    other = ds.stability_threshold(make(name, 0.71), [0, 1, 2, 5, 9])
    assert name not in WITH_MOMENTUM or np.any(np.abs(rates - other) > 1e-3 * expected)


@pytest.mark.slow
def test_the_line_for_a_sharpness_is_the_largest_learning_rate():
    axes = plot.stability_map(ds.HeavyBall(0.7), [0, 1, 2, 5, 9], sharpness=20.0)
    delays, rates = line(axes)
    expected = ds.max_learning_rate(20.0, ds.HeavyBall(0.7), delays)
    assert np.all(np.abs(rates - expected) <= 8 * EPS * expected)
    assert axes.get_ylabel() == "learning rate (sharpness 20)"


@pytest.mark.slow
def test_the_line_over_momentum_is_the_threshold():
    momenta = np.linspace(0, 0.95, 12)
    axes = plot.momentum_map(ds.Nesterov(0.5), 3, momenta)
    drawn, rates = line(axes)
    expected = ds.stability_threshold(ds.Nesterov(momenta), 3)
    assert np.array_equal(drawn, momenta)
    assert axes.get_ylabel() == "raw learning rate × sharpness"
    assert np.all(np.abs(rates - expected) <= 8 * EPS * expected)
    random = plot.momentum_map(ds.HeavyBall(0.5), LOG, momenta[:3])
    known = [ds.stability_threshold(ds.HeavyBall(m), LOG, moment="mean") for m in momenta[:3]]
    assert np.allclose(line(random)[1], known, rtol=8 * EPS)


def shades_agree(axes: Axes, stable) -> float:
    """The share of random points whose shade is blue where ``stable(place, rate)`` says so."""
    figure = axes.figure
    figure.set_dpi(200)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3] / 255
    palette = np.array([to_rgb(colour) for colour in (*STABLE, *UNSTABLE)])
    random = np.random.default_rng(0)
    low, high = axes.get_ylim()
    decided = right = 0
    while decided < 300:
        place = int(random.integers(0, int(axes.get_xlim()[1]) + 1))
        rate = float(np.exp(random.uniform(np.log(low), np.log(high))))
        x, y = axes.transData.transform((place, rate))
        distance = np.abs(palette - image[image.shape[0] - 1 - round(y), round(x)]).max(axis=1)
        # Lines and words have colours of their own.
        if distance.min() < 0.02:
            decided += 1
            right += bool(distance.argmin() < len(STABLE)) == stable(place, rate)
    return right / decided


@pytest.mark.slow
def test_the_map_is_blue_exactly_where_runs_are_stable():
    optimizer = ds.HeavyBall(0.5)
    axes = plot.stability_map(optimizer, np.arange(13), sharpness=4.0)
    assert shades_agree(axes, lambda place, rate: ds.is_stable(rate, 4.0, optimizer, place)) == 1
    wrong = shades_agree(axes, lambda place, rate: ds.is_stable(rate, 8.0, optimizer, place))
    assert wrong < 0.95


@pytest.mark.slow
def test_the_map_shows_stable_sets_of_two_intervals():
    intervals = ds.stable_gains(REVERSED, 0)
    assert len(intervals) == 2
    axes = plot.stability_map(REVERSED, [0, 1], learning_rates=(0.1, 10))
    inside = [np.sqrt(low * high) for low, high in intervals if low] + [0.5]
    gains = np.array([*inside, 1.45, 5.0])
    found = radius.rates(*loop_filter(REVERSED, 0), gains) < 0
    assert found.tolist() == [True, True, False, False]
    assert axes.get_ylim() == pytest.approx((0.1, 10))


def test_a_run_is_marked_and_always_within_the_map():
    axes = plot.stability_map(ds.SGD(), [0, 1, 2, 3], run=(2, 40.0))
    assert [values.tolist() for values in line(axes, 1)] == [[2.0], [40.0]]
    assert axes.get_ylim()[1] > 40
    with pytest.raises(ValueError, match="run must be positive"):
        plot.stability_map(ds.SGD(), [0, 1], run=(1, -1.0))


@pytest.mark.parametrize("delay", [3, 60, 150])
@pytest.mark.parametrize("name", list(ds.CATALOGUE))
@pytest.mark.quick(7)
def test_the_rates_of_a_map_are_those_of_the_largest_root(name, delay):
    optimizer = make(name, 0.9)
    gains = ds.stability_threshold(optimizer, delay) * np.array([0.05, 0.3, 0.9, 1.1, 4.0])
    expected = [np.log(largest_root(optimizer, delay, gain)) for gain in gains]
    found = radius.rates(*loop_filter(optimizer, delay), gains)
    # The companion matrix of a double root is good to the square root of eps.
    assert np.allclose(found, expected, rtol=0, atol=4 * np.sqrt(EPS))
    assert not np.allclose(found, expected[::-1], rtol=0, atol=4 * np.sqrt(EPS))


# The root locus


@pytest.mark.parametrize("name", list(ds.CATALOGUE))
def test_every_point_of_the_locus_is_a_root(name):
    optimizer, gains = make(name, 0.6), np.linspace(0, 1.0, 30)
    roots = locus(optimizer, 5, gains)
    a, b, lag = loop_filter(optimizer, 5)
    free, forced = radius.polynomial_parts(a, b, lag)

    def worst(gain: np.ndarray) -> float:
        ratios = []
        for k, row in enumerate(roots):
            values = np.polyval(free + gain[k] * forced, row)
            sizes = np.polyval(np.abs(free) + gain[k] * np.abs(forced), np.abs(row))
            ratios.append(np.max(np.abs(values) / np.maximum(sizes, 1e-30)))
        return max(ratios)

    # Backward stable eigenvalues: a few dozen eps of the sum of the moduli.
    assert worst(gains) < 300 * EPS
    assert worst(gains * 1.001) > 1e-6


@pytest.mark.slow
def test_the_locus_meets_the_circle_where_the_library_says():
    for optimizer, delay in ((ds.SGD(), 4), (ds.ShiftedMomentum(0.9), 6), (ds.Nesterov(0.5), 3)):
        axes = plot.root_locus(optimizer, delay)
        threshold = ds.stability_threshold(optimizer, delay)
        found = ds.crossings(optimizer, delay)
        marks = named(axes, f"at the threshold, {threshold:.4g}")
        first = np.exp(1j * found.angles[0])
        # A simple root moves by about the rounding of the coefficients over its slope.
        assert np.abs(marks - first).min() < 1e-12
        assert np.abs(marks).max() == pytest.approx(1, abs=1e-12)
        points = named(axes, "locus")
        later = np.exp(1j * found.angles[found.gains <= 1.01 * threshold])
        assert all(np.abs(points - place).min() < 1e-12 for place in later)
        assert named(axes, "gain 0").size == marks.size


@pytest.mark.slow
def test_roots_move_in_small_steps_through_a_double_root():
    axes = plot.root_locus(ds.SGD(), 4)
    for drawn in axes.get_lines():
        if drawn.get_gid() == "locus":
            points = drawn.get_xdata() + 1j * drawn.get_ydata()
            assert np.abs(np.diff(points)).max() <= 0.03
    # The double root of delayed SGD: tau/(tau + 1).
    assert np.abs(named(axes, "locus") - 0.8).min() < 0.02


# The rule


@pytest.mark.slow
def test_the_rule_is_adjust_learning_rate():
    optimizers = (ds.SGD(), ds.HeavyBall(0.9), ds.ShiftedMomentum(0.9))
    delays = np.array([0, 1, 4, 16, 64])
    raw = plot.adjustment_rule(optimizers, delays, lr=0.3)
    effective = plot.adjustment_rule(optimizers, delays, lr=0.3, effective=True)
    for number, optimizer in enumerate(optimizers):
        expected = ds.adjust_learning_rate(0.3, ds.SGD(), 0, delays, optimizer)
        assert np.array_equal(line(raw, number)[0], delays + 1)
        assert np.array_equal(line(raw, number)[1], expected)
        factor = 10.0 if number else 1.0
        assert np.allclose(line(effective, number)[1], factor * expected, rtol=8 * EPS)
    assert raw.get_ylabel() == "raw learning rate"
    assert effective.get_ylabel() == "effective learning rate"


def test_the_law_of_long_delays_is_approached():
    axes = plot.adjustment_rule([ds.SGD()], [0, 2, 100, 1000], lr=0.5)
    (places, law), (_, exact) = line(axes, 1), line(axes, 0)
    assert np.array_equal(places, [101, 1001])
    # 2 sin(pi/(2(2 tau + 1))) is pi/(2 tau) up to a relative 1/(2 tau).
    assert np.all(np.abs(law / exact[-2:] - 1) < 0.6 / np.array([100, 1000]))
    assert np.all(np.abs(1.1 * law / exact[-2:] - 1) > 0.05)


# Escape


@pytest.mark.slow
def test_lines_of_partly_fresh_gradients_are_the_thresholds_of_their_mixtures():
    axes = plot.partly_fresh(ds.SGD(), [2, 5], shares=[-0.5, 0.0, 0.75])
    for number, delay in enumerate((2, 5)):
        shares, drawn = line(axes, number)
        reads = [ds.MixedRead.partly_fresh(share, delay) for share in shares]
        assert list(drawn) == [ds.stability_threshold(ds.SGD(), read) for read in reads]
        assert drawn[1] == pytest.approx(ds.stability_threshold(ds.SGD(), delay))
    assert list(line(axes, 2)[1]) == [2, 2]


@pytest.mark.slow
def test_lines_of_sequences_are_the_thresholds_over_that_of_the_fixed_delay():
    delays = [2, 5, 9]
    fixed = ds.stability_threshold(ds.SGD(), delays)
    axes = plot.any_sequence(ds.SGD(), delays)
    found = [ds.stability_threshold(ds.SGD(), ds.BoundedDelay(delay)) for delay in delays]
    np.testing.assert_allclose(line(axes, 0)[1], 1)
    np.testing.assert_allclose(line(axes, 1)[1], found / fixed, rtol=1e-15)
    # The small gain of SGD is 2/(2 delay + 1).
    np.testing.assert_allclose(line(axes, 2)[1], 2 / (2 * np.array(delays) + 1) / fixed, rtol=2e-9)
    heavy = plot.any_sequence(ds.HeavyBall(0.5), [4])
    known = ds.bounded_delay_threshold(ds.HeavyBall(0.5), 4)
    drawn = [line(heavy, k)[1][0] * ds.stability_threshold(ds.HeavyBall(0.5), 4) for k in (1, 2)]
    assert drawn == pytest.approx([known.necessary, known.sufficient], rel=1e-12)


@pytest.mark.slow
def test_escape_lines_are_the_escape_rate():
    excess = np.array([0.01, 0.1, 1.0])
    axes = plot.escape(ds.HeavyBall(0.5), [0, 3], excess=excess)
    for number, delay in enumerate((0, 3)):
        gains = ds.stability_threshold(ds.HeavyBall(0.5), delay) * (1 + excess)
        assert np.array_equal(line(axes, number)[0], excess)
        assert np.array_equal(
            line(axes, number)[1], ds.escape_rate(ds.HeavyBall(0.5), delay, gains)
        )


@pytest.mark.slow
def test_measured_rates_are_drawn_where_they_grow():
    gains = 2 * np.array([0.9, 1.1, 1.5])
    axes = plot.escape(ds.SGD(), [0, 1], measured={0: (gains, np.log(np.abs(1 - gains)))})
    assert len(axes.get_lines()) == 3
    places, rates = line(axes, 2)
    assert np.allclose(places, [0.1, 0.5])
    assert np.allclose(rates, np.log(np.abs(1 - gains[1:])))
    with pytest.raises(ValueError, match="measured must hold some of the delays"):
        plot.escape(ds.SGD(), [0, 1], measured={5: (gains, gains)})


# Staleness


def test_the_bars_are_the_frequencies_of_the_log():
    axes = plot.staleness_histogram(LOG)
    delays, counts = np.unique(LOG.sequence, return_counts=True)
    heights = [patch.get_height() for patch in axes.patches]
    middles = [patch.get_x() + patch.get_width() / 2 for patch in axes.patches]
    assert np.allclose(heights, 100 * counts / 10)
    assert np.allclose(middles, delays)
    assert [line(axes, k)[0][0] for k in (0, 1)] == pytest.approx([3.4, 9])


@pytest.mark.slow
def test_the_readings_are_those_of_the_library():
    optimizer = ds.HeavyBall(0.5)
    found = ImpliedThresholds.of(optimizer, LOG)
    assert found.replayed == ds.replay_threshold(optimizer, LOG)
    assert found.mean == ds.stability_threshold(optimizer, LOG, moment="mean")
    assert found.mean_square == ds.stability_threshold(optimizer, LOG, moment="mean-square")
    assert found.mean_delay == ds.stability_threshold(optimizer, 3)
    assert found.longest_delay == ds.stability_threshold(optimizer, 9)
    axes = plot.implied_thresholds(optimizer, LOG, sharpness=20.0)
    widths = 20 * np.array([patch.get_width() for patch in axes.patches])
    expected = [found.replayed, found.mean_square, found.mean, found.mean_delay]
    expected.append(found.longest_delay)
    assert np.allclose(widths, expected, rtol=8 * EPS)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    independent = ["independent,\nmean square", "independent,\nmean"]
    assert labels == ["in its order", *independent, "mean delay 3", "longest delay 9"]
    assert ImpliedThresholds.of(optimizer, ds.RandomDelay([0.5, 0.5])).replayed is None


# Predicted against measured


def test_the_edge_experiment_is_read_cell_by_cell():
    data = plot.Measurements.from_file(EDGE)
    cells = [
        cell
        for entry in json.loads(EDGE.read_text())["verdict"]["lines"]
        for cell in entry["statistics"].get("cells", [])
    ]
    assert np.array_equal(data.predicted, [cell["threshold"] for cell in cells])
    ratios = [cell["ratio"]["value"] for cell in cells]
    assert np.allclose(data.measured / data.predicted, ratios, rtol=8 * EPS)
    assert data.names[:2] == ("SGD", "Heavy ball 0.9")
    axes = plot.measured(data, ratio=True)
    within = int(np.sum(np.abs(np.array(ratios) - 1) <= 0.03))
    assert axes.get_title().endswith(f"{within} of {len(cells)} within 3 %")
    marks = np.concatenate([entry.get_ydata() for entry in axes.get_lines()])
    assert np.isin(np.array(ratios).round(12), marks.round(12)).all()


def test_the_momentum_experiment_is_read_with_its_predictions():
    data = plot.Measurements.from_file(MOMENTUM)
    assert len(data.names) == 2
    assert data.predicted[1] == pytest.approx(0.829229794120251)
    assert np.all(np.abs(data.measured / data.predicted - 1) < 0.01)


def test_the_names_of_ratios_are_not_read_from_sentences(tmp_path):
    found = json.loads(MOMENTUM.read_text())
    for line in found["verdict"]["lines"]:
        line["statement"] = "Something else: in other words"
    path = tmp_path / "momentum.json"
    path.write_text(json.dumps(found))
    data = plot.Measurements.from_file(path)
    assert data.names == ("Heavy ball 0.9 over SGD", "Shifted momentum 0.9 over SGD")
    assert data.quantity == "ratio of effective learning rates"
    # Negative control: a table that does not hold the ratios.
    for entry in found["verdict"]["summary"]["table"]:
        entry["predicted"] *= 1 + (entry["rule"] != "SGD")
    path.write_text(json.dumps(found))
    with pytest.raises(ValueError, match="something is missing or wrong"):
        plot.Measurements.from_file(path)


def stored(path: Path, experiment: str, rows: list[tuple[dict, dict]], **common) -> Path:
    """The SQLite file of a sweep with these settings and results."""
    chunk = Chunk.of(experiment, 1, common, [settings for settings, _ in rows])
    description = Description(experiment, "Invented", 1, common, len(rows))
    with Store.open(path, description) as store:
        store.add(chunk, [canonical(result) for _, result in rows], 0.0)
    return path


def escape_file(path: Path) -> Path:
    result = {
        "sharpness": 10.0,
        "threshold": 1.0,
        "critical": 0.101,
        "halves": [0.1, 0.102],
        "learning_rates": [0.09, 0.15],
        "rates": [-0.1, 0.2],
    }
    rows = [({"optimizer": "heavy-ball", "delay": 1, "minimum_seed": k}, result) for k in (1, 2)]
    rows.append(({"optimizer": "sgd", "delay": 1, "minimum_seed": 1}, {**result, "critical": None}))
    return stored(path, "escape", rows, momentum=0.5)


def test_the_file_of_the_escape_experiment_is_read(tmp_path):
    path = escape_file(tmp_path / "escape.sqlite")
    data = plot.Measurements.from_file(path)
    assert data.names == ("SGD", "Heavy ball 0.5")
    assert data.measured == pytest.approx([np.nan, 1.01, 1.01], nan_ok=True)
    assert plot.measured(path).get_title().endswith("2 of 3 within 3 %")
    rates = plot.read_rates(path, ds.HeavyBall(0.5))
    assert rates[1][0] == pytest.approx([0.9, 1.5, 0.9, 1.5])
    assert rates[1][1] == pytest.approx([-0.1, 0.2, -0.1, 0.2])
    with pytest.raises(ValueError, match="must hold runs of"):
        plot.read_rates(path, ds.HeavyBall(0.9))


def test_a_file_of_the_first_layout_is_read_without_its_hashes(tmp_path):
    path = escape_file(tmp_path / "escape.sqlite")
    whole = plot.Measurements.from_file(path)
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE trials DROP COLUMN sha256")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    found = plot.Measurements.from_file(path)
    assert np.array_equal(found.measured, whole.measured, equal_nan=True)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=3")
    connection.close()
    with pytest.raises(ValueError, match="which has layout 3"):
        plot.Measurements.from_file(path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot.stability_map("sgd"), "optimizer must be an optimizer"),
        (lambda: plot.stability_map(ds.SGD(), [3]), "at least two different delays"),
        (lambda: plot.stability_map(ds.SGD(), [-1, 2]), "delay must be"),
        (lambda: plot.stability_map(ds.SGD(), learning_rates=(2, 1)), "lowest, highest"),
        (lambda: plot.stability_map(ds.SGD(), size="poster"), "size must be one of column"),
        (lambda: plot.stability_map(ds.SGD(), [0, 1], axes=Figure()), "axes must be matplotlib"),
        (lambda: plot.momentum_map(ds.SGD(), 1), "optimizer must have a momentum"),
        (lambda: plot.momentum_map(ds.HeavyBall(0.5), 1, [0.5]), "two different momenta"),
        (lambda: plot.root_locus(ds.SGD(), 300), "degree <= 200; got degree 301"),
        (lambda: plot.root_locus(ds.SGD(), 3, largest_gain=-1.0), "largest_gain must be positive"),
        (lambda: plot.adjustment_rule([]), "1 to 7 optimizers; got 0"),
        (lambda: plot.adjustment_rule([ds.SGD()], lr=0), "lr must be positive"),
        (lambda: plot.any_sequence(ds.SGD(), [0, 1]), "delays must be integers >= 1"),
        (lambda: plot.partly_fresh(ds.SGD(), [0, 1]), "delays must be one to seven integers >= 1"),
        (lambda: plot.escape(ds.SGD(), range(8)), "1 to 7 delays; got 8"),
        (lambda: plot.staleness_histogram([-1]), "log must hold integers"),
        (lambda: plot.measured("/no/such/file.json"), "JSON file of an experiment"),
        (lambda: plot.measured("/no/such/file.sqlite"), "path must be an existing file"),
        (lambda: plot.measured(__file__), "file of a sweep; got .* not a database"),
        (lambda: plot.Measurements("x", ["a"], [1.0], [1.0, 2.0]), "measured must have one"),
        (lambda: plot.Measurements("x", ["a"], [0.0], [1.0]), "predicted must be positive"),
        (lambda: plot.Measurements("x", [], [], []), "predicted must be positive; got none"),
        (
            # One value of many, in one line.
            lambda: plot.Measurements("x", ["a"] * 99, [*[1 / 3] * 98, -0.5], np.ones(99)),
            "^predicted must be positive; got -0.5$",
        ),
        (lambda: plot.Measurements("x", ["a"], [1.0], [1.0], low=[1.0]), "low and high"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
