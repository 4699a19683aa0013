"""Settings of a model server that this project starts itself: how it runs, not what is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError
from tasks.variants import NotInKey

ARGUMENTS = (
    *("--quantization", "--kv-cache-dtype", "--block-size", "--swap-space", "--cpu-offload-gb"),
    *("--max-num-batched-tokens", "--enable-chunked-prefill", "--no-enable-chunked-prefill"),
    *("--enable-prefix-caching", "--no-enable-prefix-caching", "--async-scheduling"),
    *("--no-async-scheduling", "--num-gpu-blocks-override", "--disable-hybrid-kv-cache-manager"),
    *("--pipeline-parallel-size", "--enable-expert-parallel", "--disable-custom-all-reduce"),
    *("--attention-backend", "--max-logprobs", "--seed", "--language-model-only"),
    *("--max-cudagraph-capture-size", "--limit-mm-per-prompt", "--uvicorn-log-level"),
)
"""What may be written in `arguments`. Others are decided by settings, serve another model, or run
code: vLLM imports classes by name from --scheduler-cls, --compilation-config and others."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """A vLLM server with its own environment; one is started for all that need the same."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Number format of weights and activations."""
    arguments: tuple[str, ...] = ()
    """Further arguments of vLLM: speed and memory, e.g. ["--quantization", "fp8"]."""
    tensor_parallel: Annotated[int, NotInKey, Field(ge=1)] = 1
    """GPUs over which the weights are spread."""
    data_parallel: Annotated[int, NotInKey, Field(ge=1)] = 1
    """Copies of the model, each on its own GPUs, that share the requests."""
    memory_share: Annotated[float, NotInKey, Field(gt=0, le=1)] = 0.9
    """Share of each GPU's memory that it takes."""
    kv_cache_gib: Annotated[int, NotInKey, Field(ge=1)] = 4
    """Memory for the cache of keys and values where there is no GPU (GiB)."""
    max_model_len: Annotated[int | None, NotInKey, Field(ge=1)] = None
    """Longest prompt and response together (tokens); null: what the model's config says."""
    max_num_seqs: Annotated[int, NotInKey, Field(ge=1)] = 256
    """Responses that it draws at a time, at most."""
    eager: Annotated[bool | None, NotInKey] = None
    """Start at once instead of compiling first; null: where there is no GPU."""
    adapters: Annotated[int, NotInKey, Field(ge=0)] = 0
    """Low-rank adapters that it holds at a time; cells with an adapter have at least 1."""
    adapter_rank: Annotated[Literal[1, 8, 16, 32, 64, 128, 256, 320, 512], NotInKey] = 16
    """Highest rank of those; these are the ones that vLLM knows."""
    start_seconds: Annotated[float, NotInKey, Field(gt=0)] = 1_800.0
    """Longest time until it answers (s)."""
    stalled_seconds: Annotated[float, NotInKey, Field(gt=0)] = 300.0
    """With requests waiting and no token for so long (s), it hangs, and is started anew."""
    restarts: Annotated[int, NotInKey, Field(ge=0)] = 2
    """How often in a row it may die or hang without finishing anything, and be started anew."""

    def __post_init__(self) -> None:
        """Refuse arguments of which nobody here knows that they run no foreign code."""
        for argument in self.arguments:
            name = argument.partition("=")[0].replace("_", "-")
            if name.startswith("-") and name not in ARGUMENTS:
                raise ConfigError(
                    f"arguments: {argument!r} is not taken: it may run foreign code, or is decided "
                    "by max_model_len, max_num_seqs, dtype, tensor_parallel, data_parallel, "
                    f"memory_share or adapters; allowed: {', '.join(ARGUMENTS)}"
                )


def check_place(base_url: str | Sequence[str], server: ServerSettings | None) -> None:
    """Refuse who is asked at no address and has no server of ours, or who has both."""
    if bool(base_url) == (server is not None):
        has = "both base_url and server" if base_url else "neither base_url nor server"
        raise ConfigError(
            f"a model that is asked has {has}; write the address of a server that runs, or "
            "`server: {}` to serve the folder `model` here"
        )
