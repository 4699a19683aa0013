"""Attention over packed trees, plugged into transformers' models by name.

A model's layers call the function that is registered under its `_attn_implementation`, and hand on
the keyword argument `layout` that its forward pass was given.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, scaled_dot_product_attention

from tasks.errors import ConfigError
from tasks.training.layout import NOWHERE, Layout

BLOCKS, FLEX = "tso_tree_blocks", "tso_tree_flex"
"""Names under which the two ways are registered: blocks of rows, and flex attention on a GPU."""
UNKNOWN = ("s_aux", "position_bias", "is_causal", "cache")
"""What some models ask of attention besides, and trees do not know."""


def register() -> None:
    """Make both ways known to transformers."""
    from transformers import AttentionInterface

    AttentionInterface.register(BLOCKS, block_attention)
    AttentionInterface.register(FLEX, flex_attention)


def take(table_SD: Tensor, places: Tensor) -> Tensor:
    """Rows of a table; as an embedding, whose backward pass adds up rows in parallel on CPU."""
    return embedding(places, table_SD)


def block_attention(  # noqa: PLR0913, PLR0917 - what transformers calls it with
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention row by row: each response with its prompt, rows of similar lengths together.

    query is (1, H, S, D), key and value (1, G, S, D); the result is (1, S, H, D).
    """
    layout = _checked(module, sliding_window, others)
    heads, groups = query.shape[1], key.shape[1]
    flat = [one[0].transpose(0, 1).flatten(1) for one in (query, key, value)]
    positions_S = layout.positions_1S[0]
    parts = []
    for block in layout.blocks:
        q_RHQD = _rows(flat[0], block.queries_RQ, heads)
        k_RHKD, v_RHKD = (
            _repeated(_rows(one, block.keys_RK, groups), heads // groups) for one in flat[1:]
        )
        mask = block.mask(positions_S, sliding_window, query.dtype)
        if softcap is None:
            out_RHQD = scaled_dot_product_attention(
                q_RHQD, k_RHKD, v_RHKD, attn_mask=mask, is_causal=mask is None, scale=scaling
            )
        else:
            scores_RHQK = softcap * torch.tanh(_scores(q_RHQD, k_RHKD, scaling) / softcap)
            out_RHQD = _softmax(scores_RHQK, mask).to(value.dtype) @ v_RHKD
        parts.append(out_RHQD.transpose(1, 2).flatten(2).flatten(0, 1))
    return take(torch.cat(parts), layout.order_S).view(1, -1, heads, value.shape[-1]), None


def _rows(flat_SE: Tensor, places_RL: Tensor, heads: int) -> Tensor:
    rows_RLE = take(flat_SE, places_RL)
    return rows_RLE.view(*places_RL.shape, heads, -1).transpose(1, 2)


def _repeated(one_RGKD: Tensor, times: int) -> Tensor:
    return one_RGKD if times == 1 else one_RGKD.repeat_interleave(times, dim=1)


def _scores(q_RHQD: Tensor, k_RHKD: Tensor, scaling: float | None) -> Tensor:
    return q_RHQD @ k_RHKD.mT * (q_RHQD.shape[-1] ** -0.5 if scaling is None else scaling)


def _softmax(scores_RHQK: Tensor, mask: Tensor | None) -> Tensor:
    """Shares of the keys, in float32; without a mask a query sees the keys up to its own place."""
    if mask is None:
        later = torch.ones(scores_RHQK.shape[-2:], dtype=torch.bool, device=scores_RHQK.device)
        mask = torch.zeros_like(later, dtype=scores_RHQK.dtype).masked_fill(
            later.triu(1), float("-inf")
        )
    return (scores_RHQK + mask).softmax(-1, dtype=torch.float32)


def flex_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Tensor, Any]:
    """The same by flex attention: one kernel that skips what no query sees."""
    from transformers.integrations.flex_attention import flex_attention_forward

    layout = _checked(module, sliding_window, others)
    if sliding_window not in layout.flex_masks:
        layout.flex_masks[sliding_window] = _block_mask(layout, sliding_window)
    mask = layout.flex_masks[sliding_window]
    others.pop("dropout", None)
    return flex_attention_forward(module, query, key, value, mask, **others)


def _block_mask(layout: Layout, window: int | None) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    length, device = layout.ids_1S.shape[1], layout.ids_1S.device
    return create_block_mask(sees(layout, window), None, None, length, length, device=str(device))


def sees(layout: Layout, window: int | None) -> Callable[..., Tensor]:
    """Whether packed token q sees packed token k, as flex attention asks it."""
    tree_S, branch_S, positions_S = layout.tree_S, layout.branch_S, layout.positions_1S[0]

    def mask(batch: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        distance = positions_S[q] - positions_S[k]
        near = distance >= 0 if window is None else (distance >= 0) & (distance < window)
        family = (branch_S[k] < 0) | (branch_S[k] == branch_S[q])
        return (near & family & (tree_S[q] == tree_S[k]) & (tree_S[q] != NOWHERE)) | (q == k)

    return mask


def _checked(module: Any, window: int | None, others: dict[str, Any]) -> Layout:
    """The layout that came with the call; ConfigError where a model asks for what is not known."""
    layout = others.pop("layout", None)
    given = {name: others.get(name) for name in UNKNOWN}
    wanted = [name for name, value in given.items() if value is not None and value is not True]
    if layout is None or wanted:
        raise ConfigError(
            f"{type(module).__name__} "
            + (f"needs {wanted} in attention" if layout else "does not hand on keyword arguments")
            + ", which prompt trees cannot give it; train another model"
        )
    assert isinstance(layout, Layout)
    layout.windows.add(window)
    return layout
