"""Small models of text: from characters to the logits of the next one at every place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from delaystability.model.arguments import checked_count

__all__ = ["CharacterGRU", "CharacterTransformer"]


class CharacterTransformer(nn.Module):
    """A decoder: blocks of causal attention and a GELU layer, normalised before each.

    Parameters
    ----------
    characters : int
        How many different ones there are.
    context : int
        The longest sequence.
    width, heads, blocks : int
        Of the signal, of the attention in each block, and of these.
    """

    def __init__(
        self, characters: int, context: int, width: int = 64, heads: int = 4, blocks: int = 2
    ) -> None:
        super().__init__()
        sizes = {"characters": characters, "context": context, "heads": heads, "blocks": blocks}
        for argument, size in sizes.items():
            checked_count(argument, size, 1)
        self.characters = nn.Embedding(characters, width)
        self.places = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, characters)

    def forward(self, text: Tensor) -> Tensor:
        """Logits (sequences, length, characters) for text (sequences, length) of integers."""
        length = text.shape[1]
        later = torch.ones(length, length, dtype=torch.bool, device=text.device).triu(1)
        signal = self.characters(text) + self.places.weight[:length]
        for block in self.blocks:
            signal = block(signal, src_mask=later, is_causal=True)
        logits: Tensor = self.head(self.norm(signal))
        return logits


class CharacterGRU(nn.Module):
    """A gated recurrent network of one layer.

    Parameters
    ----------
    characters, width : int
        How many different characters there are, and how wide the hidden state is.
    """

    def __init__(self, characters: int, width: int = 64) -> None:
        super().__init__()
        self.characters = nn.Embedding(checked_count("characters", characters, 1), width)
        self.recurrence = nn.GRU(width, checked_count("width", width, 1), batch_first=True)
        self.head = nn.Linear(width, characters)

    def forward(self, text: Tensor) -> Tensor:
        """Logits (sequences, length, characters) for text (sequences, length) of integers."""
        signal, _ = self.recurrence(self.characters(text))
        logits: Tensor = self.head(signal)
        return logits
