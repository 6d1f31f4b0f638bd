"""Lists, ranges and optimizers as written on the command line, and one shape of JSON."""

from __future__ import annotations

import json
import operator
import re
from fractions import Fraction
from functools import reduce
from itertools import product

import pytest

import delaystability as ds
from delaystability.cli.several import MOST_ROWS, expanded
from delaystability.cli.terminal import RefusedError
from tests.test_cli import printed_json, run


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("4", ["4"]),
        ("0,4,8", ["0", "4", "8"]),
        ("0:3", ["0", "1", "2", "3"]),
        ("0:64:16", ["0", "16", "32", "48", "64"]),
        ("0:10:4", ["0", "4", "8"]),
        ("8:0:-4", ["8", "4", "0"]),
        ("1,2:4,9", ["1", "2", "3", "4", "9"]),
        ("-0.9:-0.7:0.1", ["-0.9", "-0.8", "-0.7"]),
        ("1e-3:3e-3:1e-3", ["0.001", "0.002", "0.003"]),
        ("5:5", ["5"]),
    ],
)
def test_a_list_or_a_range_with_both_ends(text, numbers):
    assert expanded("delay", text) == numbers


@pytest.mark.parametrize(
    "text",
    ["0." + "3" * 70 + ":0.9:0.2", "1e-500:1:0.5", "1e60:2e60:1e-60", f"{10**70 + 1}:9e70:1e70"],
)
def test_a_range_whose_numbers_would_be_rounded_is_refused(text):
    with pytest.raises(RefusedError, match="at most 60 digits"):
        expanded("momentum", text)
    exact = "0." + "3" * 50
    assert Fraction(expanded("momentum", f"{exact}:0.9:0.5")[1]) == Fraction(exact) + Fraction(1, 2)


def test_steps_of_a_tenth_are_decimals():
    """Added up in binary, the tenth step of 0.1 would lie beside 1."""
    assert [Fraction(text) for text in expanded("x", "0:1:0.1")] == [
        Fraction(k, 10) for k in range(11)
    ]
    assert reduce(operator.add, [0.1] * 10) != 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,,4", "must not have an empty entry"),
        ("", "must not have an empty entry"),
        ("0:", "must be numbers, or a range"),
        ("0:8:0", "must be numbers, or a range"),
        ("0:8:2:1", "must be numbers, or a range"),
        ("0:0.9", "must be numbers, or a range"),
        ("0:nan", "must be numbers, or a range"),
        ("0:1e999999999", "must be numbers, or a range"),
        ("8:0", "must be a range that is not empty"),
        ("0:1e9", f"must be at most {MOST_ROWS} numbers"),
        ("0:9999,3", f"must be at most {MOST_ROWS} numbers"),
    ],
)
def test_what_is_no_list_is_refused(text, message):
    with pytest.raises(RefusedError, match=re.escape(message)):
        expanded("delay", text)


def test_every_combination_has_a_row():
    """The slow twin: each number asked for by itself."""
    rows = printed_json("threshold", "heavy-ball", "--momentum", "0.5,0.9", "--delay", "0:64:32")
    expected = [
        {
            "optimizer": "heavy-ball",
            "momentum": momentum,
            "delay": delay,
            "threshold": ds.stability_threshold(ds.HeavyBall(momentum), delay),
        }
        for momentum, delay in product((0.5, 0.9), (0, 32, 64))
    ]
    assert rows == expected
    alone = printed_json("threshold", "heavy-ball", "--momentum", "0.5", "--delay", "32")
    assert alone == rows[1]
    # A list of one entry is a list.
    assert printed_json("threshold", "heavy-ball", "--momentum", "0.5", "--delay", "32:32") == [
        alone
    ]


def test_the_table_has_a_line_for_each_row_and_cuts_nothing():
    said = run("threshold", "heavy-ball", "--momentum", "0.9", "--delay", "0:4").stdout
    _, optimizer, momentum, heading, *rows = said.strip().splitlines()
    assert (optimizer, momentum) == ("optimizer  heavy-ball", "momentum  0.9")
    assert heading.split() == ["delay", "threshold"]
    for delay, row in enumerate(rows):
        threshold = ds.stability_threshold(ds.HeavyBall(0.9), delay)
        assert row.split() == [str(delay), f"{threshold:.12g}"]
    wide = run("certify", "sgd", "--delay", "1:2", "--digits", "200").stdout
    assert "…" not in wide and re.search(r"0\.\d{200}", wide)


OTHERS = {
    "recommend": "recommend adamw --lr 0.1,0.2 --delay 0,4 --beta2 0.9",
    "adjust": "adjust sgd --lr 0.1 --delay 0 --new-delay 0:3 --sharpness 2",
    "best-optimizer": "best-optimizer --condition-number 10,100 --delay 0,1",
    "oscillation": "oscillation adam,lion --lr 0.1 --delay 0,4",
    "pipeline": "pipeline sgd --stages 1:4 --sharpness 2",
    "outer": "outer nesterov --momentum 0.5,0.9 --delay 0,1",
    "certify": "certify sgd --delay 0:3",
}


@pytest.mark.quick(2)
@pytest.mark.parametrize("command", OTHERS.values(), ids=OTHERS)
def test_every_command_that_computes_takes_lists(command):
    rows = printed_json(*command.split())
    assert len(rows) == 4 and all(isinstance(row, dict) for row in rows)
    assert len({json.dumps(row) for row in rows}) == 4
    names = [*rows[0]]
    assert names[0] in ("optimizer", "schedule") and len({tuple(row) for row in rows}) <= 2
    table = run(*command.split()).stdout
    assert len(table.splitlines()) >= 5


def test_certificates_of_a_list_verify_each():
    for row in printed_json("certify", "HeavyBall(9/10)", "--delay", "1:2"):
        assert ds.Certificate.from_json(json.dumps(row)).verify()
        assert row["parameters"] == {"momentum": "9/10"}


def test_rows_of_several_optimizers_share_what_they_have():
    rows = printed_json("threshold", "sgd,heavy-ball", "--momentum", "0.9", "--delay", "4")
    assert [row.get("momentum") for row in rows] == [None, 0.9]
    assert [row["threshold"] for row in rows] == [
        ds.stability_threshold(ds.SGD(), 4),
        ds.stability_threshold(ds.HeavyBall(0.9), 4),
    ]
    table = run("threshold", "sgd,heavy-ball", "--momentum", "0.9", "--delay", "4").stdout
    assert "optimizer  momentum        threshold" in table
    refused = run("threshold", "sgd", "--momentum", "0.9")
    assert "'sgd' has no parameter momentum" in refused.stderr


@pytest.mark.quick(3)
@pytest.mark.parametrize(
    ("text", "optimizer"),
    [
        ("HeavyBall(0.9)", ds.HeavyBall(0.9)),
        ("ds.HeavyBall(momentum=0.9)", ds.HeavyBall(0.9)),
        ("heavy-ball(0.9)", ds.HeavyBall(0.9)),
        ("WeightPrediction(0.5, horizon=3)", ds.WeightPrediction(0.5, 3)),
        ("WeightPrediction(1/2, 3)", ds.WeightPrediction(0.5, 3)),
        ("SGD", ds.SGD()),
        ("torch.optim.SGD", ds.SGD()),
        (
            "LinearOptimizer({1: 0.94, 2: -0.495}, {0: 0.74, 1: -0.27})",
            ds.LinearOptimizer({1: 0.94, 2: -0.495}, {0: 0.74, 1: -0.27}),
        ),
    ],
)
def test_an_optimizer_is_a_name_or_an_object(text, optimizer):
    expected = ds.stability_threshold(optimizer, 4)
    assert printed_json("threshold", text, "--delay", "4")["threshold"] == expected
    assert printed_json("threshold", "--optimizer", text, "--delay", "4")["threshold"] == expected


@pytest.mark.parametrize(
    "text",
    [
        "HeavyBall(0.9)(0.5)",
        "HeavyBall(0.9).other(0.5)",
        "SGD()()",
        "LinearOptimizer({1: 0.9, 1: 0.5}, {0: 1})",
        "LinearOptimizer({1: 0.9}, {0: 1, 0: 2})",
    ],
)
def test_what_would_be_read_in_part_is_refused(text):
    """The last call of several, or the last value of a lag, is not what was asked about."""
    result = run("threshold", text, "--delay", "4")
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1 and not result.stdout
    assert "optimizer" in result.stderr


@pytest.mark.slow
def test_adam_is_understood_wherever_an_optimizer_is_meant():
    for name in ("adam", "adamw", "Adam", "AdamW", "torch.optim.AdamW", "AdamW(0.9, 0.999)"):
        data = printed_json("recommend", name, "--lr", "0.001", "--delay", "4")
        assert data["learning_rate"] == float(ds.recommend_learning_rate(0.001, ds.Adam(), 4))
    options = ("--weight-decay", "0.1", "--minimum", "2")
    data = printed_json("oscillation", "adamw", "--lr", "0.001", "--delay", "4", *options)
    expected = ds.oscillation(0.001, ds.Adam(), 4, weight_decay=0.1, minimum=2.0)
    assert data["rms"] == expected.rms
    muon = printed_json("oscillation", "Muon(0.95, nesterov=False)", "--lr", "0.1", "--delay", "4")
    assert muon["rms"] == ds.oscillation(0.1, ds.Muon(0.95, False), 4).rms
    for command in (
        "threshold NAME",
        "certify NAME",
        "outer NAME",
        "pipeline NAME --stages 4 --sharpness 1",
        "adjust NAME --lr 1 --new-delay 4",
        "adjust sgd --lr 1 --new-delay 4 --new-optimizer NAME",
        "derive NAME --delay 2",
    ):
        for name in ("adam", "AdamW"):
            refused = run(*command.replace("NAME", name).split())
            assert refused.exit_code == 2
            assert f"got {name!r}, which has no threshold: ask `delaystability recommend`" in (
                refused.stderr
            )
    assert "did you mean adam-frozen or" in run("derive", "adamw").stderr


@pytest.mark.slow
def test_adjust_takes_an_object_apart():
    common = ("adjust", "HeavyBall(0.9)", "--lr", "0.1", "--new-delay", "2", "--sharpness", "30")
    expected = ds.adjust_learning_rate(0.1, ds.HeavyBall(0.9), 0, 2, sharpness=30)
    assert printed_json(*common)["new_lr"] == expected
    other = printed_json(*common, "--new-momentum", "0.5")
    assert other["new_momentum"] == 0.5
    other = printed_json(*common, "--new-optimizer", "nesterov")
    assert (other["new_optimizer"], other["new_momentum"]) == ("nesterov", 0.9)


@pytest.mark.slow
def test_every_command_has_json_and_its_options_say_what_they_are():
    commands = re.findall(r"^│ ([\w-]+) ", run("--help").stdout.split("Commands")[1], flags=re.M)
    pictures = re.findall(r"^│ (\w+) ", run("plot", "--help").stdout.split("Commands")[1], re.M)
    assert len(commands) >= 15 and len(pictures) >= 8
    asked = [(name,) for name in commands if name != "plot"]
    for command in (*asked, *(("plot", picture) for picture in pictures)):
        options = run(*command, "--help").stdout.split("─ Options")[1]
        assert "--json" in options, command
        assert not re.search(r"<(str|path|list\[str\])>", options), command


def _helps():
    import typer

    from delaystability.cli import app

    def below(command, path):
        yield path, command
        for name, child in getattr(command, "commands", {}).items():
            yield from below(child, (*path, name))

    return [*below(typer.main.get_command(app), ())]


def test_help_is_made_of_sentences():
    for path, command in _helps():
        texts = [command.help, *(parameter.help for parameter in command.params)]
        for text in texts:
            sentences = " ".join(str(text).split())
            assert re.fullmatch(r"[A-Z1].*[.:]", sentences), (path, sentences)
            assert not re.search(r"\b(\w+) \1\b| [.,;]( |$)|\.\.", sentences), text
            # "Of Adam: 0.9 by default." says of what, and not what.
            assert len(sentences.split()) > 2 and not re.match(r"(Of|As|With) ", sentences), text


def test_defaults_are_alike():
    """Where two commands have an option of the same name, its default is the same."""
    found: dict[str, set[object]] = {}
    for path, command in _helps():
        for parameter in command.params:
            if path[:1] != ("plot",) and not parameter.required:
                found.setdefault(parameter.name, set()).add(parameter.default)
    # A folder is called after its command, and two names have two meanings. A delay is 0, or a
    # refusal or another question where it is not given.
    several = {name for name, defaults in found.items() if len(defaults) > 1}
    assert several == {"output", "alpha", "delay"}
    assert set(found["delay"]) == {"0", None}


WRONG = {
    "threshold": "Missing argument 'OPTIMIZER'",
    "threshold sgd --optimizer sgd": "optimizer must be given once",
    "threshold HeavyBall": "'heavy-ball' needs momentum",
    "threshold HeavyBall(0.9 --delay 4": "optimizer must be a name or an object such as",
    "threshold HeavyBall(fast)": "momentum must be a number; got 'fast'",
    "threshold HeavyBall(0.9,0.8)": "HeavyBall must have at most the parameters momentum; got 2",
    "threshold HeavyBall(gain=1)": "optimizer HeavyBall has no parameter gain: it has momentum",
    "threshold HeavyBall(0.9,momentum=0.8)": "momentum must be given once; got it twice",
    "threshold HeavyBall(0.9) --momentum 0.8": "momentum must be given once",
    "threshold Rprop(0.9)": "optimizer must be an object of one of",
    "threshold __import__('os').system('ls')": "optimizer must be",
    "threshold LinearOptimizer({[1]:2})": "optimizer must be a name or an object such as",
    "threshold LinearOptimizer({-1:2})": "feedback must be a mapping from integer lags >= 1",
    "threshold sgd, --delay 4": "optimizer must be a name or an object",
    "threshold sgd --delay 0,,4": "delay must not have an empty entry; got '0,,4'",
    "threshold sgd --delay 0,four": "delay must be an integer >= 0; got 'four'",
    "threshold sgd --delay 0:four": "delay must be numbers, or a range first:last:step",
    "threshold sgd --delay 0:8:0": "delay must be numbers, or a range",
    "threshold sgd --delay 8:0": "delay must be a range that is not empty; got '8:0'",
    "threshold sgd --delay 0:1000000": "delay must be at most 10000 numbers",
    "threshold sgd --delay 0:999 --lr 1:11": "lists and ranges must make at most 10000 rows",
    "threshold sgd --delay 0:4,-1": "delay must be an integer >= 0, an integer array",
    "threshold heavy-ball --momentum 0:1": "-1 < momentum < 1; got 1.0",
    "threshold heavy-ball --momentum 0:0.9": "momentum must be numbers, or a range",
    "threshold heavy-ball --momentum 1/0": "momentum must be a number; got '1/0'",
    "threshold sgd --lr 0.1,": "lr must not have an empty entry",
    "recommend --lr 1 --delay 4": "Missing argument 'OPTIMIZER'",
    "recommend adagrad --lr 1 --delay 4": "optimizer must be one of adam, nadam",
    "recommend adamw --lr 1 --delay 4 --momentum 0.9": "'adamw' has no parameter momentum",
    "recommend AdamW(0.9,0.99,1) --lr 1 --delay 4": "must have at most the parameters beta1, beta2",
    "adjust LinearOptimizer({1:0.5}) --lr 1 --new-delay 4 --new-momentum 0.5": "parameter momentum",
    "outer sgd --inner-learning-rate 0.1 --inner-steps 9": "sharpness must be given beside inner",
    "plot measured no.json": "got no.json: there is no such file",
    "recommend sgd --lr 1 --delay 4 --delay-log x.csv": "delay must not be given beside delay-log",
    "oscillation lion --lr 1 --beta1 2": "beta1 must be a number with 0 <= beta1 < 1",
    "oscillation sgd --lr 1": "curvature must be given for a linear optimizer",
    "pipeline sgd --stages 0:2 --sharpness 1": "stages must be an integer",
    "pipeline sgd --stages 4": "Missing option '--sharpness'",
    "outer nesterov --momentum 0.9 --workers 0": "workers",
    "certify sgd --digits 0:3": "digits must be an integer from 1 to 1000; got 0",
    "best-optimizer --condition-number 1:3": "condition_number must be from 1.01",
    "adjust sgd --lr 1 --new-delay 4 --new-optimizer hevy-ball": "did you mean 'heavy-ball'?",
    "derive sgd --delay 1:two": "delay must be numbers, or a range",
    "derive nothing": "theorem must be one of",
    "export --language c,cobol -o out": "language must be one of c, cpp",
    "export --language c --optimizer adam -o out": "got 'adam'",
    "theorems --check now": "Got unexpected extra argument",
    "plot shares --delay 1,two": "delay must be an integer >= 0; got 'two'",
    "plot roots --optimizer adamw": "got 'adamw', which has no threshold",
    "threshold heavy-ball --delay 4": "give --momentum, or an object such as 'HeavyBall(0.9)'",
    "threshold weight-predicton --delay 4": "did you mean 'weight-prediction'?",
    "threshold sgd --bounded-delay=-2": "bounded-delay must be an integer >= 0; got -2",
    "threshold sgd --delay-log no.csv": "got 'no.csv': No such file or directory",
    "threshold sgd --delay-log .": "got '.': Is a directory",
    "recommend --lr 1": "spike-compensation, weight-prediction, adam, nadam",
    "recommend adamww --lr 1 --delay 4": "did you mean 'adamw'?",
    "adjust sgd --lr 1 --new-delay 4 --new-optimizer adm": "new-optimizer must be one of sgd",
    "adjust sgd --lr 1 --new-delay 4 --new-optimizer nesterov": "give --new-momentum",
    "pipeline sgd --stages 3 --sharpness 1 --schedule 1f1b": "1F1B with a flush",
    "export --language c --samples=-1 -o out": "samples must be an integer from 1 to 1000; got -1",
    # What would do nothing.
    "threshold sgd --coupled": "coupled must be given beside decay only",
    "adjust sgd --lr 1 --new-delay 1 --coupled": "coupled must be given beside decay only",
    "certify sgd --coupled": "coupled must be given beside decay only",
    "derive sgd --coupled": "coupled must be given beside decay only",
    "derive sgd --fragment": "fragment must be given beside format latex only; got 'text'",
    "derive sgd --json --format markdown": "format must not be given beside json; got 'markdown'",
    "derive sgd --kit kit --format text": "format must not be given beside kit",
    "derive sgd --kit kit --json": "json must not be given beside kit",
    "export --language c --optimizer HeavyBall(0.5) -o out": "optimizer must be a name",
    "outer sgd --sharpness 3": "sharpness must be given beside inner-steps only; got '3'",
    "outer sgd --eager": "workers must be given beside eager; got none",
    "outer nesterov --momentum 0.9 --delayed-nesterov": "workers must be given beside delayed-",
    "oscillation adam --lr 0.1 --minimum 2": "minimum must be given beside weight-decay only",
    "validate parameter-server --backend dask": "backend must be sequential for parameter-server",
}


@pytest.mark.quick(15)
@pytest.mark.parametrize("command", WRONG)
def test_wrong_lines_get_one_clear_line(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = run(*command.split())
    assert refused.exit_code == 2, refused.output
    assert WRONG[command] in refused.stderr
    assert refused.stderr.startswith("error: ")
    assert len(refused.stderr.strip().splitlines()) == 1
    assert len(refused.stderr) < 600 and "Traceback" not in refused.stderr
    assert not refused.stdout and not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_experiment_says_what_it_found_as_json(monkeypatch, tmp_path):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    listed = printed_json("validate", "list")
    assert [row["experiment"] for row in listed][:2] == ["adaptive", "advice"]
    assert all(row["title"] for row in listed)
    found = printed_json("validate", "quadratic", "--quick", "--backend", "sequential")
    assert (found["experiment"], found["size"]) == ("quadratic", "quick")
    assert {"statement", "measured", "required", "outcome", "evidence"} == set(
        found["statements"][0]
    )
    assert found["outcome"] in ("holds", "undecided", "fails")
    assert any(name.endswith("quadratic.json") for name in found["files"])
