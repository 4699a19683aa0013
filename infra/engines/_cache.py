"""A key-value cache that is written in place: transformers' own copies it whole at every token."""

from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

GROWTH = 1.5
"""Room for this multiple of what is needed is taken whenever the room is used up."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values, (rows, heads, length, size): views into larger tensors."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._room: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append along the length; returns all keys and values so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        keys, values = self._with_room(key_states, value_states, start, end)
        keys[..., start:end, :] = key_states
        values[..., start:end, :] = value_states
        self.keys, self.values = keys[..., :end, :], values[..., :end, :]
        return self.keys, self.values

    def _with_room(
        self, key_states: Tensor, value_states: Tensor, start: int, end: int
    ) -> tuple[Tensor, Tensor]:
        if self._room is not None and self._room[0].shape[-2] >= end:
            return self._room
        size = end if start == 0 else int(end * GROWTH) + 1
        keys, values = _enlarged(key_states, size), _enlarged(value_states, size)
        if self._room is not None:
            keys[..., :start, :] = self._room[0][..., :start, :]
            values[..., :start, :] = self._room[1][..., :start, :]
        self._room = (keys, values)
        return self._room

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep the rows `beam_idx`, in that order; a row may be named more than once."""
        length = self.get_seq_length()
        if self._room is None or length == 0:
            return
        keys, values = (room.index_select(0, beam_idx) for room in self._room)
        self._room = (keys, values)
        self.keys, self.values = keys[..., :length, :], values[..., :length, :]


def _enlarged(states: Tensor, size: int) -> Tensor:
    return states.new_empty((*states.shape[:-2], size, states.shape[-1]))


def roomy_cache(config: Any) -> Any:
    """The DynamicCache for a model of `config`; layers with full attention are written in place."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(one) is DynamicLayer else one for one in cache.layers]
    return cache
