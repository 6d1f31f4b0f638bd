"""The sharpness of a dozen networks, of their layers, and of losses made to mislead it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from torch import nn

import delaystability as ds
from delaystability.numerics.top_eigenvalues import top_eigenvalues
from tests.models import MODELS, differenced_hessian, model
from tests.small_training import DOUBLE, quadratic, small_problem

DIFFERENCES = 1e-7  # of the slow twin, in units of its largest eigenvalue


@pytest.mark.quick(2)
@pytest.mark.parametrize("name", MODELS)
def test_the_largest_eigenvalues_of_a_dozen_models_are_those_of_a_differenced_hessian(name):
    net, loss = model(name)
    found = ds.sharpness(loss, net, k=3, tolerance=1e-5)
    values, vectors = torch.linalg.eigh(differenced_hessian(net, loss))
    scale = float(values.abs().max())
    assert found.complete
    assert max(found.errors) <= 1e-5 * scale
    for place, (value, error) in enumerate(zip(found.values, found.errors, strict=True)):
        # The square of the residual over the gap to other eigenvalues, of 1e-4 at least here.
        wanted = float(values[-1 - place])
        assert abs(value - wanted) <= min(error, 1e-6 * scale) + DIFFERENCES * scale
    assert abs(found.vectors[0] @ vectors[:, -1]) > 0.999
    # Negative control: the next eigenvalue would not pass.
    assert abs(found.values[0] - float(values[-2])) > 1e-4 * scale


@pytest.mark.quick(2)
@pytest.mark.parametrize("name", ["sparse embedding", "sparse bag of embeddings", "attention"])
def test_readings_of_the_monitor_and_of_a_generator_are_the_same(name):
    net, loss = model(name)
    wanted = float(ds.sharpness(loss, net, tolerance=1e-6))
    monitor = ds.StabilityMonitor(net, torch.optim.SGD(net.parameters(), 0.1), tolerance=1e-6)
    assert monitor.read(loss).sharpness == pytest.approx(wanted, rel=1e-6)

    def losses():
        yield loss()
        yield loss()

    assert float(ds.sharpness(losses, net, tolerance=1e-6)) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("form", ["offsets", "last", "weights", "padding", "sum", "flat"])
def test_bags_of_embeddings_are_added_up_as_torch_does(form):
    torch.manual_seed(0)
    options = {"mode": "sum" if form in ("sum", "weights") else "mean", "sparse": True}
    options |= {"include_last_offset": form == "last"}
    options |= {"padding_idx": -2} if form == "padding" else {}
    bag = nn.EmbeddingBag(6, 3, **options).double()
    words = torch.tensor([0, 4, 2, 2, 5, 1, 4, 0])
    starts = torch.tensor([0, 3, 3, 6, 8] if form == "last" else [0, 3, 3, 6])
    arguments = (words.reshape(4, 2),) if form == "flat" else (words, starts)
    if form == "weights":
        arguments = (*arguments, torch.rand(8, dtype=DOUBLE))
    if form == "flat":
        bag.padding_idx = 4

    def loss():
        return bag(*arguments).exp().square().mean()

    plain = loss().item()
    found = ds.sharpness(loss, bag, k=2, tolerance=1e-6)
    assert found.loss == pytest.approx(plain, rel=1e-14)
    values = torch.linalg.eigvalsh(differenced_hessian(bag, loss))
    assert found.values == pytest.approx(values[-2:].flip(0).tolist(), rel=1e-6)


def test_bags_that_torch_cannot_differentiate_twice_are_refused():
    bag = nn.EmbeddingBag(6, 3, mode="max").double()
    words = torch.tensor([[0, 4], [2, 5]])
    with pytest.raises(RuntimeError, match="cannot be differentiated twice"):
        ds.sharpness(lambda: bag(words).square().sum(), bag)


def test_each_layer_has_its_diagonal_block():
    net, loss, _ = small_problem()
    layers = {"first": net[0], "last": list(net[2].parameters())}
    found = ds.sharpness(loss, net, k=2, groups=layers, tolerance=1e-6)
    assert list(found) == ["first", "last"]
    for name, parameters in (("first", list(net[0].parameters())), ("last", layers["last"])):
        block = torch.linalg.eigvalsh(differenced_hessian(net, loss, parameters))
        assert found[name].values == pytest.approx(block[-2:].flip(0).tolist(), rel=1e-6)
        assert found[name].vectors.shape == (2, len(block))
    whole = ds.sharpness(loss, net, tolerance=1e-6)
    assert max(float(found["first"]), float(found["last"])) < float(whole)
    listed = ds.sharpness(loss, net, groups=[net[0], net[2].bias])
    assert [len(record.vectors[0]) for record in listed] == [42, 3]


def test_a_loss_that_is_a_tensor_can_be_used_afterwards():
    net, loss, _ = small_problem()
    value = loss()
    wanted = float(ds.sharpness(loss, net))
    groups = ds.sharpness(value, net.parameters(), groups=[list(net.parameters()), net[0]])
    assert float(groups[0]) == wanted
    value.backward()
    assert net[0].weight.grad is not None


@pytest.mark.parametrize("seed", range(5))
def test_multiple_eigenvalues_are_counted_as_often_as_they_occur(seed):
    weight, loss = quadratic([5.0, 5.0, 5.0, 3.0, 3.0, 1.0, *[0.5] * 20, -9.0], [1.0] * 27)
    found = ds.sharpness(loss, weight, k=5, tolerance=1e-6, seed=seed)
    assert found.values == pytest.approx([5, 5, 5, 3, 3], abs=1e-9)
    gram = found.vectors @ found.vectors.T
    assert (gram - torch.eye(5)).abs().max() < 1e-9
    assert found.complete


def test_copies_of_one_layer_are_not_taken_for_one():
    # Without the search of the rest, each pair of eigenvalues of two equal networks shows once.
    net, loss, (inputs, targets) = small_problem()
    twin, _, _ = small_problem()

    def both():
        return loss() + (twin(inputs) - targets).square().mean()

    single = ds.sharpness(loss, net, k=2, tolerance=1e-6).values
    pair = ds.sharpness(both, nn.ModuleList([net, twin]), k=4, tolerance=1e-6).values
    assert pair == pytest.approx([single[0], single[0], single[1], single[1]], rel=1e-6)


CLUSTERS = {
    "a gap of a thousandth": [1.001, 1.0, *np.linspace(-1, 0.9, 200)],
    "thirty in a thousandth": [*(2 + 1e-3 * np.linspace(0, 1, 30)), *np.linspace(-1, 1, 200)],
    "negative alone": [-1.0, -1.001, -1.001, *np.linspace(-5, -2, 200)],
    "fewer than asked for": [2.0, 1.0],
    "nothing": [0.0] * 50,
}


@pytest.mark.parametrize("basis_size", [12, None])
@pytest.mark.parametrize("values", CLUSTERS.values(), ids=CLUSTERS)
def test_clusters_and_negative_spectra_are_right_within_the_tolerance(values, basis_size):
    exact = torch.tensor(sorted(values)[::-1], dtype=DOUBLE)
    count = min(4, len(exact))
    random = torch.Generator().manual_seed(0)
    found = top_eigenvalues(
        lambda vectors: vectors * exact,
        lambda: torch.randn(1, len(exact), generator=random, dtype=DOUBLE),
        count,
        tolerance=1e-3,
        max_products=2000,
        basis_size=basis_size,
    )
    assert found.complete
    distances = (found.values[:, None] - exact).abs().amin(dim=1)
    assert (distances <= found.errors + 1e-12).all()
    # Within a cluster of this width, any of its eigenvalues will do.
    assert ((found.values - exact[:count]).abs() <= 1e-3 * exact.abs().max() + 1e-12).all()
    residuals = found.vectors * exact - found.values[:, None] * found.vectors
    assert (residuals.norm(dim=1) <= found.errors * (1 + 1e-9) + 1e-12).all()


def test_too_few_products_are_said_to_be_incomplete():
    net, loss, _ = small_problem()
    short = ds.sharpness(loss, net, k=2, tolerance=1e-6, max_products=5)
    assert not short.complete and short.products == 5
    assert max(short.errors) > 1e-6 * float(short)
    # Enough for the values, but not for the search of the rest.
    enough = ds.sharpness(loss, net, k=2, tolerance=1e-3)
    values_only = ds.sharpness(loss, net, k=1, tolerance=1e-3)
    assert enough.complete and values_only.products < enough.products
    middle = ds.sharpness(loss, net, k=2, tolerance=1e-3, max_products=enough.products - 2)
    assert not middle.complete


def test_buffers_gradients_and_random_numbers_stay():
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(), nn.Linear(6, 2)).double()
    inputs = torch.randn(10, 4, dtype=DOUBLE)
    net(inputs).square().mean().backward()

    def state():
        gradients = [(id(p.grad), p.grad.sum().item()) for p in net.parameters()]
        return gradients, [b.tolist() for b in net.buffers()], torch.get_rng_state().tolist()

    before = state()
    first = ds.sharpness(lambda: net(inputs).square().mean(), net)
    assert state() == before
    assert float(ds.sharpness(lambda: net(inputs).square().mean(), net)) == float(first)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"loss": 1.0}, TypeError, "loss must be a tensor, or a callable"),
        ({"loss": iter([])}, TypeError, "loss must be a tensor, or a callable"),
        ({"params": []}, ValueError, "params must hold a parameter"),
        ({"params": [1.0]}, TypeError, "params must hold tensors; got float"),
        ({"params": torch.ones(2)}, ValueError, "params must hold tensors that require gradients"),
        ({"k": 0}, ValueError, "k must be an integer >= 1; got 0"),
        ({"k": 67}, ValueError, "k must be at most the 66 numbers in params; got 67"),
        ({"groups": []}, ValueError, "groups must hold at least one group"),
        ({"groups": {"a": []}}, ValueError, r"groups\['a'\] must hold a parameter"),
        ({"groups": [nn.Linear(2, 2)]}, ValueError, r"groups\[0\] must hold tensors of params"),
        ({"tolerance": 0}, ValueError, "tolerance must be a number between 0 and 1; got 0"),
        ({"tolerance": "a"}, TypeError, "tolerance must be one number"),
        ({"max_products": 0}, ValueError, "max_products must be an integer >= 1; got 0"),
        ({"seed": -1}, ValueError, "seed must be an integer >= 0; got -1"),
    ],
)
def test_wrong_arguments_are_refused(changes, error, message):
    net, loss, _ = small_problem()
    with pytest.raises(error, match=message):
        ds.sharpness(**({"loss": loss, "params": net} | changes))


def test_the_same_tensor_twice_is_refused():
    weight, loss = quadratic([1.0, 2.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="params must hold each tensor once"):
        ds.sharpness(loss, [weight, weight])
