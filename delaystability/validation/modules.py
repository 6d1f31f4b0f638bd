"""Small networks as plain torch modules, to be trained by `ModuleProblem` or replaced by your own.

Their own initial weights are torch's; `ModuleProblem.initial_parameters` draws others. None has
batch normalisation, under which the loss of a sample would depend on the rest of its batch.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from delaystability.model.arguments import checked_count

__all__ = ["MLP", "SmallConvNet", "SmallResidualNet"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "identity": nn.Identity,
}


class MLP(nn.Sequential):
    """A fully connected network; the module twin of `delaystability.validation.network.Network`.

    Parameters
    ----------
    sizes : tuple of int, at least 2 entries
        Inputs, hidden layers, outputs; an input may have any shape with so many numbers.
        Tanh is between the layers, nothing after the last one.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        if len(sizes) < 2 or any(size < 1 for size in sizes):
            raise ValueError(f"sizes must be two or more positive integers; got {sizes!r}")
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.Tanh()]
        super().__init__(*layers[:-1])


class SmallConvNet(nn.Sequential):
    """Two 3x3 convolutions of stride 2 and a linear layer; strides in place of pooling.

    Parameters
    ----------
    channels : int
        1 for grey images, 3 for colour.
    side : int, at least 4
        Height and width of the images: 8 for digits, 28 for MNIST, 32 for CIFAR.
    outputs : int
    width : int
        Channels of the first convolution; the second one has twice as many.
    activation : ``"tanh"``, ``"relu"`` or ``"identity"``
    """

    def __init__(
        self,
        channels: int = 1,
        side: int = 8,
        outputs: int = 10,
        width: int = 8,
        activation: str = "tanh",
    ) -> None:
        _check_positive(channels=channels, outputs=outputs, width=width)
        checked_count("side", side, 4)
        quarter = (side + 3) // 4
        super().__init__(
            nn.Conv2d(channels, width, 3, stride=2, padding=1),
            _activation(activation),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            _activation(activation),
            nn.Flatten(),
            nn.Linear(2 * width * quarter * quarter, outputs),
        )


class SmallResidualNet(nn.Module):
    """A convolution, residual blocks of two convolutions each, an average pool, a linear layer.

    ``x -> x + convolution(activation(convolution(x))) / sqrt(blocks)``: with the branches scaled
    down, signals keep their size through any number of blocks without normalisation (H. Zhang,
    Y. Dauphin, T. Ma, Fixup initialization, ICLR 2019, on why the scale is needed).

    Parameters
    ----------
    channels : int
        1 for grey images, 3 for colour.
    side : int, at least 8
        Height and width of the images.
    outputs : int
    width : int
        Channels of every convolution.
    blocks : int
    activation : ``"tanh"``, ``"relu"`` or ``"identity"``
    stride : int, optional
        Of the first convolution; 2 for images from 16 on unless given, else 1.
    """

    def __init__(
        self,
        channels: int = 1,
        side: int = 8,
        outputs: int = 10,
        width: int = 8,
        blocks: int = 2,
        activation: str = "relu",
        stride: int | None = None,
    ) -> None:
        super().__init__()
        _check_positive(channels=channels, outputs=outputs, width=width, blocks=blocks)
        checked_count("side", side, 8)
        stride = (2 if side >= 16 else 1) if stride is None else checked_count("stride", stride, 1)
        inner = (side + stride - 1) // stride
        pool = (inner + 3) // 4
        final = inner // pool
        self.stem = nn.Conv2d(channels, width, 3, stride=stride, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1),
                _activation(activation),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(blocks)
        )
        self.activation = _activation(activation)
        self.pool = nn.AvgPool2d(pool)
        self.head = nn.Linear(width * final * final, outputs)
        self.scale = blocks**-0.5

    def forward(self, images: Tensor) -> Tensor:
        """Outputs (images, outputs) for images (images, channels, side, side)."""
        signal: Tensor = self.activation(self.stem(images))
        for block in self.blocks:
            signal = signal + self.scale * block(signal)
        outputs: Tensor = self.head(self.pool(self.activation(signal)).flatten(1))
        return outputs


def _activation(name: str) -> nn.Module:
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(_ACTIVATIONS)}; got {name!r}")
    return _ACTIVATIONS[name]()


def _check_positive(**sizes: int) -> None:
    for argument, size in sizes.items():
        checked_count(argument, size, 1)
