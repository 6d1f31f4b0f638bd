"""Series of pandas and arrays of xarray keep their labels, or are refused with the cure."""

from __future__ import annotations

import time

import numpy as np
import pytest

import delaystability as ds

CALLS = {
    "stability_threshold": lambda x: ds.stability_threshold(ds.SGD(), x),
    "momentum": lambda x: ds.stability_threshold(ds.HeavyBall(x / 10), 4),
    "momentum and delay": lambda x: ds.stability_threshold(ds.HeavyBall(x / 10), x),
    "loop": lambda x: ds.stability_threshold(ds.Loop(ds.HeavyBall(x / 10), 4)),
    "decay": lambda x: ds.stability_threshold(ds.SGD(), 4, decay=x / 10),
    "max_learning_rate": lambda x: ds.max_learning_rate(x + 1, ds.SGD(), 4),
    "max_sharpness": lambda x: ds.max_sharpness(x + 1, ds.SGD(), x),
    "is_stable": lambda x: ds.is_stable(0.1, x + 1, ds.SGD(), 4),
    "adjust_learning_rate": lambda x: ds.adjust_learning_rate(
        0.1, ds.SGD(), 0, new_delay=x, sharpness=2.0
    ),
    "max_delay": lambda x: ds.max_delay(x + 1, 0.01, ds.SGD()),
    "max_momentum": lambda x: ds.max_momentum(0.01 * (x + 1), 1.0, "heavy-ball", 1),
    "spectral_radius": lambda x: ds.spectral_radius(ds.SGD(), x, 0.1),
    "escape_rate": lambda x: ds.escape_rate(ds.SGD(), 4, x + 1),
    "batch_sharpness_edge": lambda x: ds.batch_sharpness_edge(ds.SGD(), 4, x),
    "outer_curvature": lambda x: OUTER.outer_curvature(x + 1),
    "outer threshold": lambda x: OUTER.threshold(x + 1),
    "max_outer_learning_rate": lambda x: OUTER.max_outer_learning_rate(x + 1),
    "outer spectral_radius": lambda x: OUTER.spectral_radius(0.7, x + 1),
    "replica_radius": lambda x: OUTER.replica_radius(0.7, x + 1),
    "learning_rate": lambda x: ds.best_optimizer(1, 100).learning_rate(x + 1),
}
OUTER = ds.OuterLoop(ds.Nesterov(0.9), 0.01, 10, delay=1)
NUMBERS = np.array([0, 1, 4])


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_series_keeps_its_index(call):
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(NUMBERS, index=["a", "b", "c"], name="delay")
    answer = call(series)
    assert type(answer) is pandas.Series
    assert answer.index.tolist() == ["a", "b", "c"] and answer.name != "delay"
    assert np.array_equal(answer.to_numpy(), call(NUMBERS))
    assert answer["c"] == call(NUMBERS)[2]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_data_array_keeps_its_coordinates(call):
    xarray = pytest.importorskip("xarray")
    grid = xarray.DataArray(
        [NUMBERS, NUMBERS[::-1]],
        dims=("run", "worker"),
        coords={"run": [7, 9], "worker": list("abc")},
        attrs={"units": "updates"},
    )
    answer = call(grid)
    assert type(answer) is xarray.DataArray and not answer.attrs
    assert np.array_equal(answer.to_numpy(), call(grid.to_numpy()))
    assert float(answer.sel(run=9, worker="a")) == call(NUMBERS)[2]


def test_what_would_lose_its_labels_is_refused_with_the_cure():
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(NUMBERS, index=list("abc"))
    other = pandas.Series(NUMBERS / 10, index=list("abd"))
    with pytest.raises(ValueError, match=r"delay must have the labels of momentum: align them"):
        ds.stability_threshold(ds.HeavyBall(other), series)
    with pytest.raises(ValueError, match=r"delay must have the shape .*\(3,\) for \(2, 3\): give"):
        ds.stability_threshold(ds.SGD(), series, curvature_noise=np.ones((2, 1)))
    with pytest.raises(TypeError, match=r"delay must be .*; got a DataFrame: give one column"):
        ds.stability_threshold(ds.SGD(), pandas.DataFrame({"x": series}))
    with pytest.raises(ValueError, match="delay must be"):
        ds.stability_threshold(ds.SGD(), series - 1)
    # The cure.
    assert type(ds.stability_threshold(ds.SGD(), series.to_numpy())) is np.ndarray
    # A row of labels is wide enough for what is the same in all of them.
    noise = ds.stability_threshold(ds.SGD(), series, curvature_noise=np.array([1.0]))
    assert noise.index.equals(series.index)


@pytest.mark.parametrize(
    ("law", "entries"),
    [(ds.RandomDelay, lambda law: law.pmf), (ds.MixedRead, lambda law: law.weights)],
)
def test_the_index_of_a_series_of_shares_is_the_delay(law, entries):
    """Iteration would give its values alone, as if they were those of the delays 0, 1, 2, ..."""
    pandas = pytest.importorskip("pandas")
    counted = pandas.Series([4, 0, 4, 7, 4]).value_counts(normalize=True)
    assert counted.index[0] == 4
    made = law(counted)
    assert made == law({0: 0.2, 4: 0.6, 7: 0.2}) and list(entries(made)) == [0, 4, 7]
    assert law(pandas.Series([0.25, 0.75])) == law([0.25, 0.75])
    with pytest.raises(ValueError, match="twice"):
        law(pandas.Series([0.0, 1.0], index=[4, 4]))
    with pytest.raises(ValueError, match=r"got the (delay|lag)"):
        law(pandas.Series([0.25, 0.75], index=["a", "b"]))


class Shares(dict):
    """What a Series is like where pandas is not installed: it iterates over its values."""

    __class__ = object

    def __iter__(self):
        return iter(self.values())


@pytest.mark.parametrize("law", [ds.RandomDelay, ds.MixedRead])
def test_what_has_keys_and_items_is_read_by_its_keys(law):
    assert law(Shares({0: 0.25, 4: 0.75})) == law({0: 0.25, 4: 0.75})


def test_a_coordinate_that_two_arrays_contradict_is_on_no_answer():
    xarray = pytest.importorskip("xarray")
    one, same, other = (
        xarray.DataArray(NUMBERS, dims="run", coords={"worker": ("run", list(names)), "job": 3})
        for names in ("abc", "abc", "cba")
    )
    assert "worker" in ds.stability_threshold(ds.HeavyBall(one / 10), same).coords
    answer = ds.stability_threshold(ds.HeavyBall(one / 10), other)
    assert [*answer.coords] == ["job"] == [*(one / 10 + other).coords]


def test_labels_do_not_change_how_arguments_are_bound():
    """A delay given twice, or more arguments than there are, is refused as without labels."""
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(NUMBERS)
    for delay in (series, NUMBERS):
        with pytest.raises(TypeError, match="multiple values"):
            ds.stability_threshold(ds.SGD(), delay, delay=4)
        with pytest.raises(TypeError, match="too many|takes from"):
            ds.stability_threshold(ds.SGD(), delay, 0.0, None, 0.0, False, 9)


def test_a_class_derived_from_series_keeps_its_labels():
    pandas = pytest.importorskip("pandas")

    class Delays(pandas.Series):
        @property
        def _constructor(self):
            return Delays

    answer = ds.stability_threshold(ds.SGD(), Delays(NUMBERS, index=list("abc")))
    assert type(answer) is Delays and answer.index.tolist() == ["a", "b", "c"]


def test_outer_loops_refuse_rates_and_curvatures_with_other_labels():
    pandas = pytest.importorskip("pandas")
    rates = pandas.Series([0.1, 0.7], index=["a", "b"])
    with pytest.raises(ValueError, match="curvature must have the labels of outer_learning_rate"):
        OUTER.spectral_radius(rates, pandas.Series([1.0, 2.0], index=["b", "a"]))


def test_scalars_and_arrays_are_answered_as_before_and_as_fast():
    assert type(ds.stability_threshold(ds.SGD(), 4)) is float
    assert type(ds.stability_threshold(ds.SGD(), NUMBERS)) is np.ndarray
    plain = ds.stability_threshold.__wrapped__

    def seconds(function):
        start = time.process_time()
        for _ in range(50):
            function(ds.HeavyBall(0.9), 4)
        return time.process_time() - start

    # In turns, as other load comes and goes: the cheapest of each kind.
    turns = [(seconds(ds.stability_threshold), seconds(plain)) for _ in range(20)]
    labelled, bare = map(min, zip(*turns, strict=True))
    assert labelled < 1.5 * bare


def test_a_warning_points_to_the_line_that_asked():
    with pytest.warns(ds.StabilityWarning) as caught:
        ds.stability_threshold(ds.SGD(), ds.GeometricDelay(0.5))
    with pytest.warns(ds.LearningRateWarning) as small:
        ds.adjust_learning_rate(0.1, ds.HeavyBall(0.9), 0, 8)
    assert {caught[0].filename, small[0].filename} == {__file__}
