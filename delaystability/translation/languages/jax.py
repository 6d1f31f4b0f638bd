"""JAX: elementwise functions that can be compiled, mapped and differentiated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from delaystability.translation.languages.arrays import Arrays
from delaystability.translation.program import Repeat

__all__ = ["Jax"]

_NAMES = {"sqrt": "sqrt", "sin": "sin", "cos": "cos", "tan": "tan", "atan": "arctan"}
_NAMES |= {"tanh": "tanh", "exp": "exp", "log": "log", "floor": "floor", "abs": "abs"}
_NAMES |= {"log1p": "log1p", "expm1": "expm1"}


class Jax(Arrays):
    """JAX."""

    name = "jax"
    title = "JAX"
    test_file = "delaystability_jax_test.py"
    commands = ("python delaystability_jax_test.py",)
    remark = (
        "Enable 64-bit floats before use: jax.config.update('jax_enable_x64', True). Functions"
        " broadcast, and jit, vmap, grad and jacfwd apply to them.",
    )
    kind = "number or array"
    module = "delaystability_jax"
    set_up = ("", "import jax", "", 'jax.config.update("jax_enable_x64", True)')
    functions: ClassVar[Mapping[str, str]] = {
        name: f"jnp.{own}({{0}})" for name, own in _NAMES.items()
    } | {
        "min": "jnp.minimum({0}, {1})",
        "max": "jnp.maximum({0}, {1})",
    }
    prefix = "jnp"
    unchanging = "lax.stop_gradient(x)"
    elementwise = '''\
def _elementwise(kernel):
    """The compiled function of arrays, which it broadcasts. It warns if floats have 32 bits."""
    signature = inspect.signature(kernel)
    compiled = jax.jit(jnp.vectorize(kernel))

    @functools.wraps(kernel)
    def function(*arguments, **named):
        if not jax.config.jax_enable_x64:
            warnings.warn(
                "thresholds need 64-bit floats: call jax.config.update('jax_enable_x64', True)",
                stacklevel=2,
            )
        bound = signature.bind(*arguments, **named).arguments.values()
        given = [value for value in bound if value is not None]
        return compiled(*(jnp.asarray(value, dtype=float) for value in given))

    return function'''

    def repeat(self, node: Repeat) -> list[str]:
        state = ", ".join(node.state)
        if len(node.state) == 1:
            head = [f"def once(_, {state}):"]
            answer = state
        else:
            head = ["def once(_, state):", f"    {state} = state"]
            answer = f"({state})"
        return [
            "",
            *head,
            *self.body(node.body),
            f"    return {state}",
            "",
            f"{state} = lax.fori_loop(0, {node.count}, once, {answer})",
        ]

    def imports(self) -> list[str]:
        return [
            "import functools",
            "import inspect",
            "import warnings",
            "",
            "import jax",
            "import jax.numpy as jnp",
            "from jax import lax",
        ]
