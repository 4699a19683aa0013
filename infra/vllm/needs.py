"""What a vLLM server takes of this machine, estimated before it starts."""

from infra.processes.room import Needs
from infra.vllm.machine import on_gpu
from tasks.serving import ServerSettings

OVERHEAD_BYTES = 3 << 29
"""Main memory of a server besides weights and cache: 1.4 GB were measured on CPU."""


def server_needs(settings: ServerSettings, weight_bytes: int, mark: str) -> Needs:
    """GPUs and a share of each; where there is none, memory for weights, cache and vLLM itself.

    `mark` names the model: who has the same mark and settings shares a server.
    """
    copies, shared = settings.data_parallel, f"{mark} {settings}"
    if on_gpu():
        return Needs(
            gpus=settings.tensor_parallel * copies,
            gpu_share=settings.memory_share,
            host_bytes=OVERHEAD_BYTES * copies,
            shared=shared,
        )
    cache = settings.kv_cache_gib << 30
    memory = copies * (weight_bytes + cache + OVERHEAD_BYTES)
    return Needs(host_bytes=memory, shared=shared)
