"""The command line: every command, JSON for machines, no traceback for a user's mistake."""

from __future__ import annotations

import json
import sys
from fractions import Fraction

import pytest
from typer.testing import CliRunner

import delaystability as ds
from delaystability.cli import app


def run(*arguments: str):
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit), result.exception
    return result


def printed_json(*arguments: str):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_threshold_prints_the_number_of_the_library():
    data = printed_json("threshold", "heavy-ball", "--momentum", "0.9", "--delay", "4")
    expected = ds.stability_threshold(ds.HeavyBall(0.9), 4)
    assert data == {
        "optimizer": "heavy-ball",
        "momentum": 0.9,
        "delay": 4,
        "threshold": expected,
    }
    table = run("threshold", "heavy-ball", "--momentum", "0.9", "--delay", "4").stdout
    assert f"{expected:.12g}" in table


def test_threshold_answers_for_a_learning_rate_and_a_sharpness():
    data = printed_json("threshold", "sgd", "--delay", "1", "--lr", "0.1", "--sharpness", "20")
    assert data["max_sharpness"] == pytest.approx(10)
    assert data["max_learning_rate"] == pytest.approx(0.05)
    assert data["stable"] is False


def test_best_optimizer_prints_what_the_library_finds():
    command = "best-optimizer --delay 1 --condition-number 100 --sharpness 20 --tolerated-noise"
    data, best = printed_json(*command.split()), ds.best_optimizer(1, 100)
    assert data["optimizer"] == "weight-prediction"
    assert data["momentum"] == best.momentum
    assert data["learning_rate"] == best.learning_rate(20)
    assert data["tolerated_curvature_noise"] == best.tolerated_curvature_noise()
    refused = run("best-optimizer", "--delay", "1", "--condition-number", "0.5")
    assert refused.exit_code == 2
    assert "condition_number must be from 1.01 to 1e12; got 0.5" in refused.stderr


def test_threshold_knows_curvature_noise():
    data = printed_json("threshold", "sgd", "--delay", "0", "--curvature-noise", "0.5")
    assert data["threshold"] == pytest.approx(2 / 1.5)
    assert data["lr_times_batch_sharpness"] == ds.batch_sharpness_edge(ds.SGD(), 0, 0.5)
    command = "threshold sgd --curvature-noise 1 --lr 0.1 --sharpness 15"
    data = printed_json(*command.split())
    assert data["threshold"] == pytest.approx(1)
    assert data["max_sharpness"] == pytest.approx(10)
    assert data["max_learning_rate"] == pytest.approx(1 / 15)
    assert data["stable"] is False  # 1.5: stable without the noise only
    adjusted = printed_json(
        *[
            "adjust",
            "--optimizer",
            "sgd",
            "--lr",
            "0.1",
            "--delay",
            "0",
            "--new-delay",
            "4",
            "--curvature-noise",
            "1",
        ]
    )
    assert adjusted["new_lr"] == ds.adjust_learning_rate(0.1, ds.SGD(), 0, 4, curvature_noise=1.0)


@pytest.mark.slow
def test_threshold_and_adjust_know_weight_decay_and_fresh_weights():
    data = printed_json("threshold", "sgd", "--delay", "4", "--decay", "0.1")
    assert data["threshold"] == ds.stability_threshold(ds.SGD(), 4, decay=0.1)
    assert (data["decay"], data["coupled"]) == (0.1, False)
    heavy = ("heavy-ball", "--momentum", "0.9", "--delay", "4", "--decay", "0.01", "--coupled")
    expected = ds.stability_threshold(ds.HeavyBall(0.9), 4, decay=0.01, coupled=True)
    assert printed_json("threshold", *heavy)["threshold"] == expected
    data = printed_json("threshold", "sgd", "--delay", "4", "--fresh-share", "0.25")
    assert data["threshold"] == ds.stability_threshold(ds.SGD(), ds.MixedRead({0: 0.25, 4: 0.75}))
    assert data["fresh_share"] == 0.25
    old = (
        "--lr",
        "0.1",
        "--delay",
        "0",
        "--new-delay",
        "4",
        "--decay",
        "0.2",
        "--new-decay",
        "0.1",
    )
    data = printed_json("adjust", "--optimizer", "sgd", *old)
    assert data["new_lr"] == ds.adjust_learning_rate(0.1, ds.SGD(), 0, 4, decay=0.2, new_decay=0.1)
    bounded = printed_json("threshold", "sgd", "--bounded-delay", "3", "--decay", "0.1")
    assert bounded["threshold_of_the_longest_delay"] == ds.stability_threshold(
        ds.SGD(), 3, decay=0.1
    )
    for wrong, message in (
        (("--fresh-share", "nan"), "fresh-share must be a finite number"),
        (("--fresh-share", "0.1", "--bounded-delay", "3"), "fresh-share must not be given beside"),
        (("--decay", "-1"), "decay must be a number >= 0"),
    ):
        result = run("threshold", "sgd", *wrong)
        assert result.exit_code != 0
        assert message in result.output


def test_threshold_reads_a_log_of_delays(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("0\n1\n2\n3\n3\n2\n4\n", encoding="utf-8")
    data = printed_json("threshold", "heavy-ball", "--momentum", "0.5", "--delay-log", str(log))
    delay = ds.MeasuredDelay.from_log(log)
    optimizer = ds.HeavyBall(0.5)
    # One key for each reading of the log, and none that could be taken for another.
    assert "threshold" not in data
    mean = data["mean_threshold_of_independent_delays"]
    assert mean == ds.stability_threshold(optimizer, delay, moment="mean")
    assert data["replayed_threshold"] == ds.replay_threshold(optimizer, delay)
    assert data["mean_square_threshold_of_independent_delays"] < mean
    assert data["threshold_of_the_longest_delay"] < mean
    assert data["mean_delay"] == pytest.approx(15 / 7)
    rate = printed_json(
        "threshold", "sgd", "--delay-log", str(log), "--sharpness", "20", "--lr", "0.01"
    )
    # Of these, the replay alone knows the order: what is said of the run rests on it.
    assert rate["max_learning_rate"] == pytest.approx(rate["replayed_threshold"] / 20)
    assert rate["max_sharpness"] == pytest.approx(rate["replayed_threshold"] / 0.01)


@pytest.mark.slow
def test_the_column_of_a_log_is_named_on_the_command_line(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("step,delay,worker\n0,1,0\n1,3,1\n2,2,0\n", encoding="utf-8")

    def mean_delay(*columns: str) -> float:
        options = [word for column in columns for word in ("--column", column)]
        return printed_json("threshold", "sgd", "--delay-log", str(log), *options)["mean_delay"]

    assert mean_delay("delay") == mean_delay("2") == 2
    assert mean_delay("delay", "3") == pytest.approx(7 / 6)
    assert mean_delay("all") == pytest.approx(10 / 9)
    refused = run("threshold", "sgd", "--delay-log", str(log))
    assert refused.exit_code == 2
    assert "--column" in refused.output
    assert "delay-log" in run("threshold", "sgd", "--column", "delay").output


@pytest.mark.slow
def test_threshold_answers_for_every_sequence_of_delays():
    data = printed_json("threshold", "sgd", "--bounded-delay", "8", "--sharpness", "20")
    exact = ds.stability_threshold(ds.SGD(), ds.BoundedDelay(8))
    assert data["threshold"] == data["threshold_of_the_worst_sequence_found"] == exact
    assert data["known_by"] == "exact" and data["max_learning_rate"] == exact / 20
    assert data["threshold_of_the_longest_delay"] == ds.stability_threshold(ds.SGD(), 8)
    known = ds.bounded_delay_threshold(ds.HeavyBall(0.9), 4)
    data = printed_json("threshold", "heavy-ball", "--momentum", "0.9", "--bounded-delay", "4")
    assert data["threshold"] == known.sufficient and data["known_by"] == "small gain"
    assert data["threshold_of_the_worst_sequence_found"] == known.necessary
    refused = run("threshold", "sgd", "--bounded-delay", "3", "--delay", "2")
    assert refused.exit_code == 1 or refused.exit_code == 2
    assert "bounded-delay must be given without delay" in refused.output


def test_negative_momentum_is_a_value_not_an_option():
    data = printed_json("threshold", "heavy-ball", "--momentum", "-0.9", "--delay", "2")
    assert data["threshold"] == pytest.approx(0.2)


def test_recommend_prints_the_rate_of_the_library_with_reason_and_alternatives(tmp_path):
    command = "recommend --learning-rate 0.1 --optimizer heavy-ball --momentum 0.9 --delay 8"
    data = printed_json(*command.split())
    expected = ds.recommend_learning_rate(0.1, ds.HeavyBall(0.9), 8)
    start = {"optimizer": "heavy-ball", "momentum": 0.9, "delay": 8, "lr": 0.1}
    assert data == {**start, **json.loads(json.dumps(expected.to_dict()))}
    options = ["--goal", "same-minima", "--sharpness", "2.34"]
    data = printed_json(*command.split(), *options)
    assert data["learning_rate"] == ds.adjust_learning_rate(
        0.1, ds.HeavyBall(0.9), 0, 8, sharpness=2.34
    )
    table = run(*command.split(), "--sharpness", "2.34").stdout
    assert "learning rate     0.00487969810301" in table
    assert "0.00476649387351: better when" in table
    assert "or same-minima    0.000366894594211: better when" in table

    adam = "recommend --lr 0.003 --optimizer adam --beta1 0.8 --delay 4"
    data = printed_json(*adam.split())
    assert data["learning_rate"] == float(ds.recommend_learning_rate(0.003, ds.Adam(0.8), 4))
    assert (data["beta1"], data["beta2"]) == (0.8, 0.999)

    log = tmp_path / "log.csv"
    log.write_text("worker,delay\n0,1\n1,3\n2,2\n", encoding="utf-8")
    logged = ["recommend", "--lr", "0.1", "--optimizer", "sgd", "--column", "delay", "--delay-log"]
    data = printed_json(*logged, str(log))
    found = ds.recommend_learning_rate(0.1, ds.SGD(), ds.MeasuredDelay([1, 3, 2]))
    assert data["learning_rate"] == float(found)
    assert (data["mean_delay"], data["longest_delay"]) == (2, 3)


@pytest.mark.filterwarnings("ignore::delaystability.LearningRateWarning")
def test_adjust_keeps_the_optimizer_and_momentum_unless_told():
    common = ("adjust", "--optimizer", "heavy-ball", "--momentum", "0.9", "--lr", "0.1")
    delays = ("--delay", "0", "--new-delay", "8")
    same = printed_json(*common, *delays)
    assert same["new_lr"] == ds.adjust_learning_rate(0.1, ds.HeavyBall(0.9), 0, 8)
    other = printed_json(*common, *delays, "--new-optimizer", "shifted-momentum")
    assert other["new_momentum"] == 0.9
    assert other["new_lr"] == ds.adjust_learning_rate(
        0.1, ds.HeavyBall(0.9), 0, 8, ds.ShiftedMomentum(0.9)
    )
    plain = printed_json(*common, *delays, "--new-optimizer", "sgd")
    assert plain["new_lr"] == ds.adjust_learning_rate(0.1, ds.HeavyBall(0.9), 0, 8, ds.SGD())
    off = printed_json(*common, *delays, "--new-momentum", "0.5")
    assert off["new_lr"] == ds.adjust_learning_rate(0.1, ds.HeavyBall(0.9), 0, 8, ds.HeavyBall(0.5))


def test_the_command_prints_the_warning_as_one_line_and_takes_a_sharpness():
    arguments = ["adjust", "--optimizer", "heavy-ball", "--momentum", "0.9", "--lr", "0.1"]
    arguments += ["--delay", "0", "--new-delay", "8"]
    result = run(*arguments, "--json")
    assert result.exit_code == 0
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("warning: lr is divided by 273")
    assert json.loads(result.stdout)["new_lr"] == pytest.approx(0.00036689459421096205)
    measured = run(*arguments, "--sharpness", "2.34", "--json")
    assert measured.stderr == ""
    expected = ds.adjust_learning_rate(0.1, ds.HeavyBall(0.9), 0, 8, sharpness=2.34)
    assert json.loads(measured.stdout)["new_lr"] == expected
    assert printed_json(*arguments, "--sharpness", "2.34")["sharpness"] == 2.34
    wrong = run(*arguments, "--sharpness", "0")
    assert wrong.exit_code == 2
    assert "sharpness must be positive" in wrong.stderr


def test_certify_reads_decimals_exactly_and_prints_a_certificate():
    arguments = ("certify", "heavy-ball", "--momentum", "0.9", "--delay", "1", "--digits", "25")
    data = printed_json(*arguments)
    assert Fraction(data["lower"]) < Fraction(1, 10) < Fraction(data["upper"])
    assert ds.Certificate.from_json(json.dumps(data)).verify()
    table = run(*arguments).stdout
    assert "proved stable" in table
    assert "9/10" in table


@pytest.mark.slow
def test_certify_and_derive_take_a_decay_as_the_decimal_that_it_is():
    arguments = ("heavy-ball", "--momentum", "0.5", "--delay", "1", "--decay", "0.1", "--coupled")
    data = printed_json("certify", *arguments, "--digits", "20")
    assert (data["decay"], data["coupled"]) == ("1/10", True)
    assert Fraction(data["lower"]) < Fraction(1, 2) < Fraction(data["upper"])
    assert ds.Certificate.from_json(json.dumps(data)).verify()
    assert "1/10" in run("certify", *arguments).stdout
    derived = run("derive", *arguments).stdout
    assert "a_* = 1/2" in derived
    assert "coupled decay 1/10 (theorem, exact, algebra)" in derived
    assert "SGD with weight decay" in run("derive", "sgd", "--decay", "0.1").stdout
    for command in ("certify", "derive"):
        wrong = run(command, *arguments[:-3], "--decay", "-0.1")
        assert wrong.exit_code == 2
        assert "decay must be a number >= 0" in wrong.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "sign"), [("text", "(1) [proved"), ("markdown", "$$"), ("latex", "\\documentclass")]
)
def test_derive_prints_every_format(format_, sign):
    result = run("derive", "shifted-momentum", "--format", format_)
    assert result.exit_code == 0
    assert sign in result.stdout


def test_derive_writes_a_file_and_fragments(tmp_path):
    path = tmp_path / "sgd.tex"
    result = run("derive", "sgd", "--format", "latex", "--fragment", "-o", str(path))
    assert result.exit_code == 0
    assert "\\label{thm:sgd}" in path.read_text(encoding="utf-8")
    assert "\\documentclass" not in path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_derive_fails_when_a_step_fails(monkeypatch):
    from delaystability.theory import proof_of

    good = ds.derive("sgd")
    claim = good.step("modulus").claim
    bad = good.with_step("modulus", claim=claim.func(claim.lhs, 2, evaluate=False))
    monkeypatch.setattr(proof_of, "proof_of", lambda name: bad)
    result = run("derive", "sgd")
    assert result.exit_code == 1
    assert "failed" in result.stderr


@pytest.mark.quick(16)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("threshold adam", "optimizer must be one of sgd"),
        ("threshold heavy-ball", "'heavy-ball' needs momentum"),
        ("threshold sgd --momentum 0.5", "'sgd' has no parameter momentum"),
        ("threshold sgd --delay -1", "delay must be an integer >= 0"),
        ("threshold sgd --delay 1.5", "delay must be an integer >= 0; got '1.5'"),
        ("threshold sgd --delay nan", "delay must be an integer >= 0; got 'nan'"),
        ("threshold sgd --delay 1" + "0" * 30, "at most 2**53"),
        ("threshold heavy-ball --momentum 1", "-1 < momentum < 1; got 1.0"),
        ("threshold heavy-ball --momentum -1", "-1 < momentum < 1; got -1.0"),
        ("threshold heavy-ball --momentum nan", "got nan"),
        ("threshold heavy-ball --momentum fast", "momentum must be a number; got 'fast'"),
        ("threshold sgd --sharpness 0", "sharpness must be positive and finite; got 0.0"),
        ("threshold sgd --sharpness -2", "sharpness must be positive and finite; got -2.0"),
        ("threshold sgd --lr nan", "lr must be positive and finite; got nan"),
        ("adjust --optimizer sgd --lr 0 --delay 0 --new-delay 1", "lr must be positive"),
        ("adjust --optimizer sgd --lr 1 --delay 0 --new-delay -1", "delay must be"),
        (
            "adjust --optimizer sgd --lr 1 --delay 0 --new-delay 1 --new-optimizer adam",
            "got 'adam'",
        ),
        ("adjust --optimizer sgd --lr 1 --delay 0 --new-delay 1 --new-optimizer nesterov", "needs"),
        ("threshold sgd --curvature-noise -1", "curvature_noise must be >= 0"),
        ("threshold sgd --curvature-noise much", "curvature-noise must be a number"),
        ("threshold sgd --delay-log /no/such/file.csv", "/no/such/file.csv"),
        ("threshold sgd --delay 4 --delay-log log.csv", "delay must not be given beside delay-log"),
        ("threshold adam", "got 'adam', which has no threshold: ask `delaystability recommend`"),
        ("recommend --lr 0 --optimizer sgd --delay 4", "lr must be positive"),
        ("recommend --lr 1 --optimizer sgd", "delay or delay-log must be given"),
        ("recommend --lr 1 --optimizer sgd --delay 4 --beta1 .9", "'sgd' has no parameter beta1"),
        ("recommend --lr 1 --optimizer adam --delay 4 --momentum .9", "no parameter momentum"),
        ("recommend --lr 1 --optimizer adam --delay 4 --beta2 1", "beta2 must be a number with 0"),
        ("recommend --lr 1 --optimizer adam --delay 4 --goal same-minima", "goal must be 'train'"),
        ("recommend --lr 1 --optimizer sgd --delay 4 --goal fast", "goal must be 'train' or"),
        ("threshold heavyball", "did you mean 'heavy-ball'?"),
        ("derive adam", "theorem must be one of"),
        ("derive sgd --format pdf", "format must be one of latex, markdown, text, json; got"),
        ("derive sgd -o /no/such/folder/file", "No such file or directory"),
        ("certify heavy-ball --momentum inf", "got inf"),
        ("certify sgd --digits 0", "digits must be an integer from 1 to 1000; got 0"),
        ("certify sgd --digits many", "digits must be an integer"),
        ("validate nothing", "experiment must be one of adaptive, advice"),
        ("validate edge --device tpu", "device"),
        ("validate edge --dtype float16", "dtype"),
        ("validate edge --seed -1", "seed must be an integer >= 0; got -1"),
        ("verify -o /dev/null/report", "folder must be a writable folder"),
        ("verify --quick --device tpu", "device"),
        ("certify sgd --delay 1" + "0" * 20, "got 100000000000000000000"),
        ("certify", "Missing argument '"),  # older versions of typer write OPTIMIZER
        ("certify sgd --nope", "No such option: --nope"),
        ("certify sgd --delay", "requires an argument"),
        ("export -o folder", "Missing option '--language'"),
        ("nope", "No such command 'nope'"),
        ("plot nope", "No such command 'nope'"),
    ],
)
def test_mistakes_get_one_clear_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments.split())
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.output
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["verify", "validate edge"])
def test_a_file_in_place_of_the_folder_is_refused_before_any_import(command, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "delaystability.verification.job", None)
    monkeypatch.setitem(sys.modules, "delaystability.validation.experiment", None)
    (tmp_path / "two.csv").touch()
    result = run(*command.split(), "-o", str(tmp_path / "two.csv"))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: output must be a writable folder; got")
    assert result.stderr.count("\n") == 1


def test_without_a_command_the_help_is_shown():
    for arguments in ((), ("plot",)):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "Usage:" in result.stdout
        assert not result.stderr.strip()


def test_help_and_version():
    assert run("--version").stdout.strip() == f"delaystability {ds.__version__}"
    for command in ("recommend", "threshold", "adjust", "derive", "certify", "validate", "verify"):
        result = run(command, "--help")
        assert result.exit_code == 0
        assert command in run("--help").stdout
