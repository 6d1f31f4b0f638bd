"""PyTorch: elementwise functions of tensors that can be differentiated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from delaystability.translation.languages.arrays import Arrays
from delaystability.translation.program import (
    Choice,
    Constant,
    Expression,
    Number,
)
from delaystability.translation.reading import MATHEMATICS

__all__ = ["Torch"]


class Torch(Arrays):
    """PyTorch."""

    name = "torch"
    title = "PyTorch"
    test_file = "delaystability_torch_test.py"
    commands = ("python delaystability_torch_test.py",)
    remark = (
        "Functions broadcast numbers and tensors, answer with float64 tensors on the device of the"
        " first tensor, and can be differentiated.",
    )
    kind = "number or tensor"
    module = "delaystability_torch"
    functions: ClassVar[Mapping[str, str]] = {
        name: f"torch.{name}({{0}})" for name in MATHEMATICS
    } | {"min": "torch.minimum({0}, {1})", "max": "torch.maximum({0}, {1})"}
    prefix = "torch"
    unchanging = "x.detach()"
    elementwise = '''\
def _elementwise(kernel):
    """The function for numbers and tensors, which it broadcasts, as 64-bit floats."""
    signature = inspect.signature(kernel)

    @functools.wraps(kernel)
    def function(*arguments, **named):
        bound = signature.bind(*arguments, **named).arguments.values()
        given = [value for value in bound if value is not None]
        device = next((v.device for v in given if isinstance(v, torch.Tensor)), None)
        tensors = [torch.as_tensor(v, dtype=torch.float64, device=device) for v in given]
        return kernel(*torch.broadcast_tensors(*tensors))

    return function'''

    def choice(self, node: Choice) -> tuple[str, int]:
        text, level = super().choice(node)
        if isinstance(node.then, Number) and isinstance(node.otherwise, Number):
            # Two numbers would make a tensor of the default type.
            return f"{text}.double()", level
        return text, level

    def call(self, name: str, arguments: Sequence[Expression]) -> str:
        match name, arguments:
            case "min", (value, Number() | Constant() as bound):
                return f"torch.clamp({self.expression(value)}, max={self.expression(bound)})"
            case "max", (value, Number() | Constant() as bound):
                return f"torch.clamp({self.expression(value)}, min={self.expression(bound)})"
        return super().call(name, arguments)

    def imports(self) -> list[str]:
        return ["import functools", "import inspect", "", "import torch"]
