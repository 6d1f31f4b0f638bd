"""Counting the bytes of all tensors that are alive at once."""

from __future__ import annotations

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):
    """Bytes of the storages that were made within and are alive: now, and at most so far.

    Every operation's results are looked at, those of backward passes too; a storage counts until
    Python and torch have let it go. Memory inside a kernel is not seen.
    """

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self._known = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for result in tree_leaves(results):
            if isinstance(result, torch.Tensor) and result.layout is torch.strided:
                self._add(result.untyped_storage())
        return results

    def _add(self, storage):
        key = storage._cdata
        if key in self._known or not storage.nbytes():
            return
        self._known.add(key)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, key, storage.nbytes())

    def _drop(self, key, size):
        self._known.discard(key)
        self.now -= size
