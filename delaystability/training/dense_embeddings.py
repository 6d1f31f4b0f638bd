"""Embeddings as dense operations, whose gradients can be differentiated again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["with_dense_embeddings"]


def with_dense_embeddings(losses: Callable[[], Any]) -> Callable[[], Any]:
    """Let a closure use dense gradients where its embeddings were made with ``sparse=True``.

    The losses are the same numbers. Bags of embeddings are added up by operations that can be
    differentiated twice, which torch's own cannot, except for the mode "max" and with ``max_norm``
    or ``scale_grad_by_freq``.

    Parameters
    ----------
    losses : callable without arguments
        Returns a loss, several, or an iterator of them.

    Returns
    -------
    callable
    """

    def dense() -> Any:
        with _DenseEmbeddings():
            answer = losses()
        return _each(answer) if isinstance(answer, Iterator) else answer

    return dense


def _each(losses: Iterator[Any]) -> Iterator[Any]:
    end = object()
    while True:
        with _DenseEmbeddings():
            loss = next(losses, end)
        if loss is end:
            return
        yield loss


class _DenseEmbeddings(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.embedding:
            # weight, indices, padding_idx, scale_grad_by_freq, sparse
            return func(*args[:4], **(kwargs | {"sparse": False}))
        if func is functional.embedding:
            given = signature(functional.embedding).bind(*args, **kwargs).arguments
            return func(**(given | {"sparse": False}))
        if func is functional.embedding_bag:
            bound = signature(functional.embedding_bag).bind(*args, **kwargs)
            bound.apply_defaults()
            return _embedding_bag(bound.arguments)
        return func(*args, **kwargs)


def _embedding_bag(given: dict[str, Any]) -> Tensor:
    mode, weight, indices, offsets = (
        given[name] for name in ("mode", "weight", "input", "offsets")
    )
    if mode == "max" or given["max_norm"] is not None or given["scale_grad_by_freq"]:
        return functional.embedding_bag(**(given | {"sparse": False}))
    flat = indices.reshape(-1)
    if indices.dim() == 2:
        bags, length = len(indices), indices.shape[1]
        bag = torch.arange(bags, device=flat.device).repeat_interleave(length)
    else:
        starts = offsets[:-1] if given["include_last_offset"] else offsets
        bags = len(starts)
        places = torch.arange(len(flat), device=flat.device)
        bag = torch.searchsorted(starts.to(places), places, right=True) - 1
    weights = given["per_sample_weights"]
    share = weight.new_ones(len(flat)) if weights is None else weights.reshape(-1)
    if given["padding_idx"] is not None:
        share = share * (flat != given["padding_idx"] % len(weight))
    if mode == "mean":
        counts = weight.new_zeros(bags).index_add(0, bag, share)
        share = share / counts.clamp(min=1)[bag]
    rows = functional.embedding(flat, weight) * share[:, None]
    return weight.new_zeros(bags, weight.shape[1]).index_add(0, bag, rows)
