"""The command line and the variables of a vLLM server."""

from collections.abc import Sequence
from pathlib import Path

from infra.vllm.machine import interpreter, on_gpu
from tasks.serving import ServerSettings

ENTRY_POINT: Sequence[str] = ("-m", "vllm.entrypoints.openai.api_server")
"""What the interpreter of vLLM's environment runs. No setting: a configuration runs no code."""
WITHOUT_GPU = ["--no-enable-chunked-prefill"]
"""vLLM 0.32 dies on CPU when a request with a seed is read in two steps: its random generator there
cannot be set back."""


def command_line(
    settings: ServerSettings, model: Path, port: int, names: Sequence[str]
) -> list[str]:
    """What starts a server of the folder `model` under `names` on the loopback address.

    Defaults of sampling come from vLLM, not from the model's generation_config.json: a top_k or a
    penalty of its author would change what is drawn, and no log-probability would show it.
    """
    switches = {
        "--model": str(model),
        "--host": "127.0.0.1",
        "--port": str(port),
        "--dtype": settings.dtype,
        "--load-format": "safetensors",
        "--generation-config": "vllm",
        "--max-num-seqs": str(settings.max_num_seqs),
        "--tensor-parallel-size": str(settings.tensor_parallel),
        "--data-parallel-size": str(settings.data_parallel),
        **_optional(settings),
    }
    words = [word for switch in switches.items() for word in switch]
    eager = settings.eager if settings.eager is not None else not on_gpu()
    return [
        *(interpreter(), *ENTRY_POINT, *words),
        *("--served-model-name", *names),
        *(["--enforce-eager"] if eager else []),
        *([] if on_gpu() else WITHOUT_GPU),
        *(["--enable-lora"] if settings.adapters else []),
        *settings.arguments,
    ]


def _optional(settings: ServerSettings) -> dict[str, str]:
    """Switches that are not always there."""
    switches = {}
    if settings.max_model_len is not None:
        switches["--max-model-len"] = str(settings.max_model_len)
    if on_gpu():
        switches["--gpu-memory-utilization"] = f"{settings.memory_share:g}"
    if settings.adapters:
        switches["--max-loras"] = str(settings.adapters)
        switches["--max-lora-rank"] = str(settings.adapter_rank)
    return switches


def variables(settings: ServerSettings, gpus: Sequence[str], sockets: str) -> dict[str, str]:
    """Environment variables that a server has besides those of ours that it needs."""
    return {
        "HF_HUB_OFFLINE": "1",  # the model is a folder: nothing is to be fetched
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_RPC_BASE_PATH": sockets,
        "VLLM_CPU_KVCACHE_SPACE": str(settings.kv_cache_gib),
        **({"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"} if settings.adapters else {}),
        **({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}),
    }
