"""Oscillations of adaptive and sign optimizers, against runs of the optimizers themselves."""

from __future__ import annotations

import itertools
import json
import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.optimize import brentq

import delaystability as ds
from delaystability.model.loop import Loop
from delaystability.numerics.moments.adaptive_cycle import (
    amplification,
    cycle_correction,
    two_cycle_radius,
)
from delaystability.questions.oscillation_record import STATUSES, Oscillation
from tests.settled_runs import settled_run

DECADES = np.geomspace(1e-3, 1e3, 7)
MAKE = {
    "Adam": lambda lr, beta2: lambda p: torch.optim.AdamW(p, lr, (0.9, beta2), 0, weight_decay=0),
    "RMSprop": lambda lr, beta2: lambda p: torch.optim.RMSprop(p, lr, beta2, eps=0),
    "RMSprop, momentum": lambda lr, beta2: (
        lambda p: torch.optim.RMSprop(p, lr, beta2, eps=0, momentum=0.5)
    ),
}
OURS = {
    "Adam": lambda beta2: ds.Adam(0.9, beta2),
    "RMSprop": lambda beta2: ds.RMSProp(beta2),
    "RMSprop, momentum": lambda beta2: ds.RMSProp(beta2, 0.5),
}


# Adam and its kind


@pytest.mark.quick(1)
@pytest.mark.parametrize("kind", MAKE)
def test_the_next_order_is_that_of_runs(kind):
    # A second moment of 33 updates: the correction is up to 5 %, what is beyond it below 0.3 %.
    lr, delay, beta2 = 1e-3, 2, 0.97
    found = ds.oscillation(lr, OURS[kind](beta2), delay)
    start = lr / found.gain * np.ones(2)
    run = settled_run(MAKE[kind](lr, beta2), [0.01, 50.0], delay, start, updates=3000)
    assert run.rms == pytest.approx(found.rms, rel=6e-3)
    leading = lr / ds.stability_threshold(OURS[kind](beta2).momentum_filter, delay)
    assert found.rms != pytest.approx(leading, rel=3e-3)
    assert run.peak == pytest.approx(found.peak, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "delay"), [("Adam", 1), ("Adam", 16), ("RMSprop", 4)])
def test_one_direction_swings_alike_over_six_decades_of_curvature(kind, delay):
    lr = 1e-3
    found = ds.oscillation(lr, OURS[kind](0.999), delay)
    run = settled_run(
        MAKE[kind](lr, 0.999), DECADES, delay, 3 * lr / found.gain * np.ones(7), updates=24_000
    )
    assert run.rms == pytest.approx(found.rms, rel=5e-3)
    # Negative control: with one more update of delay it is another.
    assert run.rms != pytest.approx(ds.oscillation(lr, OURS[kind](0.999), delay + 1).rms, rel=0.03)


def test_the_period_is_that_of_the_root_on_the_circle():
    lr, delay = 1e-3, 3
    found = ds.oscillation(lr, ds.RMSProp(0.999), delay)
    assert found.period == pytest.approx(2 * (2 * delay + 1), rel=1e-12)
    assert found.frequency == pytest.approx(math.pi / (2 * delay + 1), rel=1e-12)


def test_the_next_order_of_rmsprop_is_the_closed_form():
    for delay in (1, 2, 5, 40):
        loop = Loop(ds.SGD(), delay)
        theta = math.pi / (2 * delay + 1)
        found = cycle_correction(loop.tables(), delay, theta).size
        tangents = math.tan(theta) * math.tan(theta / 2)
        assert found == pytest.approx(-(1 + 1 / tangents / (2 * delay + 1)) / 8, rel=1e-12)


@pytest.mark.parametrize("optimizer", [ds.EMAMomentum(0.9), ds.Nesterov(0.7)])
def test_the_next_order_is_that_of_the_perturbed_angle_equation(optimizer):
    # a0 (1 - nu W) = -(z - 1) z^delay / F at z = exp(i theta), where a0 is real, by bisection.
    delay, nu = 3, 1e-7
    tables = Loop(optimizer, delay).tables()

    def filtered(z):
        b, a = (sum(v * z**-k for k, v in table.items()) for table in (tables.b, tables.a))
        return b / a

    def gain(theta, strength):
        z = np.exp(1j * theta)
        ripple = np.conj(filtered(z)) / filtered(z) / 4 / (1 - z**-2)
        return -(z - 1) * z**delay / filtered(z) / (1 - strength * ripple)

    first = float(ds.crossings(optimizer, delay).angles[0])
    theta = brentq(lambda x: gain(x, nu).imag, 0.9 * first, 1.1 * first, xtol=1e-15)
    start = brentq(lambda x: gain(x, 0).imag, 0.9 * first, 1.1 * first, xtol=1e-15)
    measured = (gain(start, 0).real / gain(theta, nu).real - 1) / nu
    assert cycle_correction(tables, delay, first).size == pytest.approx(measured, rel=1e-5)


@pytest.mark.slow
def test_eps_shortens_the_swing_and_ends_it():
    lr, delay, h = 1e-3, 2, 4.0
    threshold = ds.stability_threshold(ds.EMAMomentum(0.9), delay)
    eps = 0.4 * lr * h / threshold
    found = ds.oscillation(lr, ds.Adam(0.9, 0.99), delay, curvature=h, eps=eps)
    assert found.rms == pytest.approx(0.6 * lr / threshold, rel=0.01)
    make = lambda p: torch.optim.Adam(p, lr, (0.9, 0.99), eps)  # noqa: E731
    run = settled_run(make, [h], delay, [found.rms], updates=4000)
    assert run.rms == pytest.approx(found.rms, rel=5e-3)
    silent = ds.oscillation(lr, ds.Adam(), delay, curvature=h, eps=1.01 * lr * h / threshold)
    assert (silent.rms, silent.peak, silent.loss, silent.status) == (0.0, 0.0, 0.0, "exact")
    assert silent.gain < threshold
    assert math.isinf(silent.period) and silent.frequency == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "ours"),
    [
        (
            lambda p: torch.optim.AdamW(p, 1e-3, (0.9, 0.995), 0, 0.3),
            ds.Adam(0.9, 0.995),
        ),
        (
            lambda p: RMSPropWithDecay(p, 1e-3, 0.995, eps=0, momentum=0.5, weight_decay=0.3),
            ds.RMSProp(0.995, 0.5),
        ),
    ],
    ids=["AdamW", "RMSprop"],
)
def test_decoupled_decay_moves_the_mean_and_shortens_the_swing(make, ours):
    lr, delay, decay, minimum = 1e-3, 2, 0.3, 2.0
    found = ds.oscillation(lr, ours, delay, curvature=3.0, weight_decay=decay, minimum=minimum)
    filtered = ours.momentum_filter
    threshold = ds.stability_threshold(ds.Loop(filtered, delay, lr * decay))
    steady = ds.Loop(filtered, delay).tables().steady
    leading = -decay * minimum * lr / threshold / steady
    assert found.offset == pytest.approx(leading, rel=0.05)
    assert found.rms == pytest.approx(math.sqrt((lr / threshold) ** 2 - leading**2), rel=0.05)
    assert found.loss == pytest.approx(1.5 * (found.rms**2 + found.offset**2), rel=1e-12)
    run = settled_run(make, [3.0], delay, [minimum + lr], updates=6000, minimum=minimum)
    assert run.rms == pytest.approx(found.rms, rel=2e-3)
    assert run.mean == pytest.approx(found.offset, rel=4e-3)


class RMSPropWithDecay(torch.optim.RMSprop):
    """Torch's RMSprop with the decay of AdamW."""

    def step(self):
        (group,) = self.param_groups
        decay, group["weight_decay"] = group["weight_decay"], 0
        group["params"][0].data *= 1 - group["lr"] * decay
        super().step()
        group["weight_decay"] = decay


def test_a_minimum_beyond_the_reach_of_the_decay_is_not_reached():
    # The weight comes to rest at 1/decay, where the step of one lr is what decays.
    found = ds.oscillation(1e-3, ds.Adam(), 2, weight_decay=0.5, minimum=-3.0)
    assert (found.rms, found.status) == (0.0, "exact")
    assert -3.0 + found.offset == pytest.approx(-1 / 0.5, rel=1e-9)


@pytest.mark.parametrize("gain_share", [0.3, 0.9])
def test_noise_keeps_the_gain_below_the_threshold(gain_share):
    lr, delay, h = 1e-3, 3, 2.0
    optimizer = ds.Adam(0.8, 0.999)
    filtered = optimizer.momentum_filter
    gain = gain_share * ds.stability_threshold(filtered, delay)
    phi = gain**2 * ds.stationary_variance(filtered, delay, gain)
    sigma = lr * h / gain / math.sqrt(1 + phi)
    found = ds.oscillation(lr, optimizer, delay, curvature=h, noise=sigma)
    assert found.gain == pytest.approx(gain, rel=1e-9)
    assert found.rms**2 == pytest.approx((lr / gain) ** 2 - (sigma / h) ** 2, rel=1e-9)
    assert (found.status, found.peak) == ("asymptotic", math.inf)
    # The limit of no noise is the cycle.
    quiet = ds.oscillation(lr, optimizer, delay, curvature=h, noise=1e-7 * sigma)
    assert quiet.rms == pytest.approx(ds.oscillation(lr, optimizer, delay).rms, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("gain_share", [0.3, 0.9])
def test_runs_with_noise_scatter_as_predicted(gain_share):
    lr, delay, h = 1e-3, 3, 2.0
    threshold = ds.stability_threshold(ds.EMAMomentum(0.8), delay)
    sigma = lr * h / (gain_share * threshold)
    found = ds.oscillation(lr, ds.Adam(0.8, 0.999), delay, curvature=h, noise=sigma)
    make = lambda p: torch.optim.Adam(p, lr, (0.8, 0.999), 0)  # noqa: E731
    run = settled_run(
        make, np.full(300, h), delay, found.rms * np.ones(300), updates=8000, noise=sigma
    )
    assert math.sqrt(np.mean(run.rms**2)) == pytest.approx(found.rms, rel=0.03)
    # Negative control: without what noise does to the second moment.
    naive = max(0.0, (lr / threshold) ** 2 - (sigma / h) ** 2) ** 0.5
    assert math.sqrt(np.mean(run.rms**2)) > 1.1 * naive


def test_the_amplification_with_a_decay_is_that_of_the_response():
    for decay in (0.0, 1e-3):
        loop = Loop(ds.EMAMomentum(0.6), 2, decay)
        gain = 0.5 * ds.stability_threshold(loop)
        iterates, updates = [0.0] * 5, [0.0]
        responses = []
        for t in range(4000):
            gradient = gain * iterates[-3] + (gain if t == 0 else 0.0)
            updates.append(0.6 * updates[-1] + 0.4 * gradient)
            iterates.append((1 - decay) * iterates[-1] - updates[-1])
            responses.append(iterates[-1] ** 2)
        assert amplification(loop)(gain) == pytest.approx(math.fsum(responses), rel=1e-11)


def test_a_momentum_that_outlasts_the_second_moment_is_undecided():
    assert ds.oscillation(1e-3, ds.Adam(0.9, 0.999), 16).status == "asymptotic"
    found = ds.oscillation(1e-3, ds.Adam(0.99, 0.99), 16)
    assert found.status == "undecided" and "memory" in found.reason
    assert ds.oscillation(1e-3, ds.Adam(0.99, 0.99), 16, curvature=1.0, noise=1.0).status == (
        "undecided"
    )


# Without delay


def _disturbed(beta1, nu):
    """The largest eigenvalue of the cubic of theorem ``adam-two-cycle``, by mpmath."""
    cubic = [1, 3 * nu - 2 - beta1, 1 + 2 * beta1 - nu + beta1 * nu, -beta1 * (1 - nu)]
    return max(abs(root) for root in mpmath.polyroots(cubic, maxsteps=200, extraprec=200))


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    ("beta1", "nu"), [*itertools.product((0.05, 0.2, 0.3, 0.9), (0.01, 0.3, 0.9))]
)
def test_the_cycle_of_two_updates_is_stable_where_the_theorem_says(beta1, nu):
    loop = Loop(ds.EMAMomentum(beta1), 0)
    threshold = ds.stability_threshold(loop)
    radius = two_cycle_radius(loop.tables(), 0, threshold, keeps=1 - nu)
    assert radius == pytest.approx(float(_disturbed(beta1, nu)), rel=1e-9)
    decided = nu > (6 * beta1 - 1 - beta1**2) / (beta1 * (3 - beta1))
    assert (radius < 1) == decided
    found = ds.oscillation(1e-3, ds.Adam(beta1, 1 - nu), 0)
    # A slow second moment passes gains at which the weight is below what floats hold.
    assert found.status == ("exact" if decided and nu > 0.1 else "undecided")
    assert (found.period, found.peak) == (2, found.rms)
    assert found.rms == pytest.approx(1e-3 / threshold, rel=1e-12)
    if nu < 0.1:
        return  # too slow for a run
    # In its own cycle, but for a thousandth.
    size = found.rms

    def make(parameters):
        optimizer = torch.optim.Adam(parameters, 1e-3, (beta1, 1 - nu), 0)
        first = torch.tensor([-size * (1 - beta1) / (1 + beta1)], dtype=torch.float64)
        state = {"step": torch.tensor(1e6), "exp_avg": first, "exp_avg_sq": size**2 + 0 * first}
        optimizer.state[parameters[0]] = state
        return optimizer

    run = settled_run(make, [1.0], 0, [1.001 * size], updates=1500, measured=0.1)
    assert (abs(run.peak[0] / size - 1) < 5e-4) == decided


@pytest.mark.slow
def test_rmsprop_without_delay_has_the_cycle_of_two_updates():
    for momentum in (0.0, 0.5):
        found = ds.oscillation(1e-3, ds.RMSProp(0.9, momentum), 0)

        def make(parameters, momentum=momentum):
            return torch.optim.RMSprop(parameters, 1e-3, 0.9, eps=0, momentum=momentum)

        run = settled_run(make, [1.0], 0, [1.1 * found.rms], updates=3000, measured=0.1)
        assert (abs(run.rms[0] / found.rms - 1) < 1e-4) == (found.status == "exact")


# Arguments


def test_torch_optimizers_are_recognised_with_their_eps_and_decay():
    weight = torch.nn.Parameter(torch.ones(2, 2))
    torch_adam = torch.optim.AdamW([weight], 0.1, (0.8, 0.99), 0.01, 0.3)
    ours = ds.oscillation(
        0.1, ds.Adam(0.8, 0.99), 4, curvature=2, eps=0.01, weight_decay=0.3, minimum=0.1
    )
    assert ds.oscillation(0.1, torch_adam, 4, curvature=2, minimum=0.1) == ours
    assert ds.oscillation(0.1, ds.delayed(torch_adam, 4), 4, curvature=2, minimum=0.1) == ours
    for theirs, same in (
        (torch.optim.NAdam([weight]), ds.NAdam()),
        (torch.optim.RAdam([weight]), ds.Adam()),
        (torch.optim.RMSprop([weight], momentum=0.3), ds.RMSProp(0.99, 0.3)),
        (torch.optim.Muon([weight], nesterov=False), ds.Muon(0.95, False)),
    ):
        assert ds.oscillation(0.1, theirs, 4) == ds.oscillation(0.1, same, 4)
    sgd = torch.optim.SGD([weight], 0.1, 0.9)
    assert ds.oscillation(0.1, sgd, 4, curvature=2, clip=1) == ds.oscillation(
        0.1, ds.HeavyBall(0.9), 4, curvature=2, clip=1
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda w: torch.optim.Adam([w], amsgrad=True), "without amsgrad"),
        (lambda w: torch.optim.RMSprop([w], centered=True), "without centered"),
        (lambda w: torch.optim.Adam([w], weight_decay=0.1), "decay weights, as AdamW"),
        (lambda w: torch.optim.Adagrad([w]), "whose oscillation is known"),
        (
            lambda w: torch.optim.Adam([{"params": [w]}, {"params": [], "betas": (0.5, 0.9)}]),
            "differ in their learning rates alone",
        ),
    ],
)
def test_what_oscillates_in_another_way_is_refused(make, said):
    with pytest.raises(TypeError, match=f"optimizer must .*{said}"):
        ds.oscillation(0.1, make(torch.nn.Parameter(torch.ones(2))), 4)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"lr": 0}, ValueError, "lr must be positive"),
        ({"delay": [1, 2]}, TypeError, "delay must be one integer"),
        ({"delay": ds.RandomDelay([0.5, 0.5])}, TypeError, "delay must be one integer, the same"),
        ({"optimizer": "adam"}, TypeError, "optimizer must be an optimizer"),
        ({"eps": 1.0}, ValueError, "eps must come with a curvature"),
        ({"noise": 1.0}, ValueError, "noise must come with a curvature"),
        ({"clip": 1.0}, ValueError, "clip must be left out for Adam"),
        ({"weight_decay": 30.0}, ValueError, "weight_decay must keep lr"),
        ({"minimum": math.inf}, ValueError, "minimum must be finite"),
        ({"noise": -1.0, "curvature": 1}, ValueError, "noise must be >= 0"),
        ({"optimizer": ds.SignSGD(), "noise": 1.0}, ValueError, "noise must be left out for sign"),
        ({"optimizer": ds.Lion(), "delay": 10**5}, ValueError, "delay must keep the half-period"),
        ({"optimizer": ds.SGD()}, ValueError, "curvature must be given for a linear"),
        ({"optimizer": ds.SGD(), "eps": 1}, ValueError, "eps must be left out for a linear"),
        (
            {"optimizer": ds.SGD(), "curvature": 1, "clip": 1, "noise": 1, "lr": 9},
            ValueError,
            "noise must be 0 beyond the threshold",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(given, error, said):
    with pytest.raises(error, match=f"^{said}"):
        ds.oscillation(**{"lr": 0.1, "optimizer": ds.Adam(), "delay": 4, **given})


@pytest.mark.parametrize("kind", [ds.NAdam, ds.RMSProp, ds.SignSGD, ds.Lion, ds.Muon])
def test_the_new_optimizers_check_their_parameters_and_have_no_threshold(kind):
    assert kind().to_dict()["name"] == kind.name
    for name in kind().to_dict():
        if name not in ("name", "nesterov"):
            with pytest.raises(ValueError, match=f"^{name} must be a number with 0 <="):
                kind(**{name: 1.0})
    with pytest.raises(TypeError, match="which .* is not: its preconditioner tunes itself"):
        ds.stability_threshold(kind(), 4)
    assert ds.recommend_learning_rate(0.1, kind(), 4).factor < 1
    with pytest.raises(TypeError, match="nesterov must be True or False"):
        ds.Muon(nesterov=1)


def test_the_record_is_plain_data_and_knows_its_statuses():
    found = ds.oscillation(1e-3, ds.Adam(), 4, curvature=1.0, noise=1.0)
    data = found.to_dict()
    assert data["peak"] is None and data["period"] is None and data["rms"] == found.rms
    assert str(found).startswith(f"rms {found.rms:.4g} (asymptotic)\nAdam settles")
    with pytest.raises(ValueError, match="status must be one of"):
        Oscillation(1, 1, 1, 0, None, None, (), "certain", "")
    assert "undecided" in STATUSES


# On the command line


def said(*arguments):
    from typer.testing import CliRunner

    from delaystability.cli.app import app

    return CliRunner().invoke(app, ["oscillation", *arguments], env={"COLUMNS": "200"})


def test_the_command_says_what_the_function_does():
    found = said(
        "adam", "--lr", "0.001", "--delay", "4", "--curvature", "2", "--noise", "0.01", "--json"
    )
    told = json.loads(found.output)
    expected = ds.oscillation(0.001, ds.Adam(), 4, curvature=2.0, noise=0.01)
    assert told["rms"] == expected.rms and told["peak"] is None
    assert told["status"] == "asymptotic" and told["beta1"] == 0.9
    table = said("muon", "--lr", "0.1", "--delay", "4", "--momentum", "0.9").output
    assert "half periods" in table and "18, 19, 20" in table and "approximate" in table
    clipped = said(
        "heavy-ball", "--momentum", "0.9", "--lr", "1", "--curvature", "2", "--clip", "1"
    )
    assert "silent" not in clipped.output and "status" in clipped.output


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (("adam", "--lr", "1", "--alpha", "0.3"), "optimizer 'adam' has no parameter alpha"),
        (
            ("adagrad", "--lr", "1"),
            "optimizer must be one of adam, nadam, rmsprop, signsgd, lion, muon",
        ),
        (("adam", "--lr", "1", "--weight-decay", "x"), "weight-decay must be a number"),
        (("adam", "--lr", "1", "--noise", "1"), "noise must come with a curvature"),
    ],
)
def test_the_command_refuses_in_one_line(arguments, refusal):
    found = said(*arguments)
    assert found.exit_code == 2 and refusal in found.output
    assert len(found.output.strip().splitlines()) == 1


def test_the_shell_completes_the_names():
    from delaystability.cli.completion import trained_optimizer_names

    assert trained_optimizer_names("s") == [
        "signsgd",
        "sgd",
        "shifted-momentum",
        "spike-compensation",
    ]
