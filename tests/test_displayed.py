"""Records in a notebook and as tables of pandas."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html.parser import HTMLParser

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.displayed import Displayed, html_table


class Cells(HTMLParser):
    """The rows of a table, and the tags that are open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.caption = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert tag in ("table", "caption", "tr", "th", "td") and not attrs
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] == "caption":
            self.caption += data
        else:
            self.rows[-1][-1] += data


RECORDS = {
    "certificate": lambda: ds.certify(ds.HeavyBall(0.9), 1),
    "decayed certificate": lambda: ds.certify(ds.SGD(), 1, decay=0.25),
    "recommendation": lambda: ds.recommend_learning_rate(0.1, ds.HeavyBall(0.9), 8),
    "oscillation": lambda: ds.oscillation(0.001, ds.Adam(), 4),
    "best optimizer": lambda: ds.best_optimizer(1, 100),
    "bounded delay": lambda: ds.bounded_delay_threshold(ds.SGD(), 4),
    "replayed gains": lambda: ds.replay_gains(ds.HeavyBall(0.9), [0, 0, 0, 1, 1, 1, 1, 1, 0]),
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_each_record_is_shown_and_becomes_a_frame(record):
    found = record()
    shown = Cells(found._repr_html_())
    assert shown.caption == type(found).__name__
    assert len(shown.rows) >= 2 and all(all(row[:1]) for row in shown.rows)
    pandas = pytest.importorskip("pandas")
    frame = found.to_frame()
    assert type(frame) is pandas.DataFrame
    assert len(frame) == len(found._rows())
    names = {name.replace("_", " ") for name in frame.columns}
    assert names == {row[0] for row in shown.rows} or names == set(shown.rows[0])


def test_the_numbers_are_those_of_the_records():
    certificate = Cells(RECORDS["certificate"]()._repr_html_())
    rows = dict(certificate.rows)
    threshold = ds.stability_threshold(ds.HeavyBall(0.9), 1)
    for end in ("proved stable", "proved unstable"):
        assert float(rows[end]) == pytest.approx(threshold, rel=1e-14)
    assert rows["optimizer"] == "heavy-ball" and rows["delay"] == "1"
    advice = RECORDS["recommendation"]()
    heading, first, *others = Cells(advice._repr_html_()).rows
    assert heading == ["rule", "learning rate", "why"]
    assert first[1] == f"{float(advice):.6g}" and len(others) == len(advice.alternatives)


def test_what_a_record_says_is_escaped_cut_and_counted():
    @dataclass
    class Record(Displayed):
        name: str
        none: None = None

    shown = Record("<b onclick=x>&" + "y" * 1000)._repr_html_()
    assert "<b" not in shown and "&lt;b onclick=x&gt;&amp;" in shown and len(shown) < 700
    assert Cells(shown).rows[1] == ["none", ""]
    many = Cells(html_table("<i>", [{"a": k} for k in range(1000)]))
    assert len(many.rows) == 61 and many.caption == "<i> (1000 rows, the first 60)"
    assert Cells(html_table("none", [])).rows == [[]]
    with pytest.raises(TypeError, match="must be a data class"):
        type("Other", (Displayed,), {})().to_frame()


def test_without_pandas_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame needs pandas: pip install pandas"):
        ds.certify(ds.SGD(), 1).to_frame()


def test_a_monitor_and_its_readings_are_tables():
    torch = pytest.importorskip("torch")
    pandas = pytest.importorskip("pandas")
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
    optimizer = ds.DelayedOptimizer([weight], lr=0.1, optimizer=ds.SGD(), delay=1)
    curvatures = torch.tensor([1.0, 4.0], dtype=torch.float64)

    def loss():
        return (curvatures * weight.square()).sum() / 2

    monitor = ds.StabilityMonitor([weight], optimizer, every=1)
    assert Cells(monitor._repr_html_()).rows == [[]] and monitor.to_frame().empty
    readings = [monitor.read(loss, step) for step in (1, 2)]
    frame = monitor.to_frame()
    assert type(frame) is pandas.DataFrame and frame["step"].tolist() == [1, 2]
    assert np.allclose(frame["sharpness"], 4)
    assert readings[0].to_frame()["ratio_low"].item() == readings[0].interval[0]
    assert "ratio low" in dict(Cells(readings[0]._repr_html_()).rows)
    sharpness = ds.sharpness(loss, [weight], k=2)
    assert np.allclose(sharpness.to_frame()["sharpness"], [4, 1])


@pytest.mark.slow
def test_the_trials_of_an_experiment_are_a_frame(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("sklearn")
    from delaystability.validation.experiment import run_experiment
    from delaystability.validation.experiments import load_experiment

    options = {"size": "quick", "backend": "sequential"}
    result = run_experiment(load_experiment("quadratic"), tmp_path, **options)
    frame = result.to_frame()
    assert type(frame) is pandas.DataFrame and len(frame) == result.sweep.trials
    assert {"delay", "optimizer"} & set(frame.columns)
    shown = Cells(result._repr_html_())
    assert len(shown.rows) == 1 + len(result.verdict.lines)
    assert result.experiment.title in shown.caption
