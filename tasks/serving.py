"""Settings of a model server that this project starts itself: how it runs, not what is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError
from tasks.variants import NotInKey

OWN_ARGUMENTS = (
    *("--model", "--tokenizer", "--tokenizer-mode", "--load-format", "--dtype", "--host"),
    *("--port", "--uds", "--served-model-name", "--api-key", "--max-model-len", "--max-num-seqs"),
    *("--tensor-parallel-size", "--data-parallel-size", "--gpu-memory-utilization"),
    *("--generation-config", "--override-generation-config", "--disable-log-stats"),
    *("--enable-lora", "--max-loras", "--max-lora-rank", "--lora-modules", "--config"),
)
"""Arguments that settings decide, or that would serve something else than the model's folder."""
SHORT_FORMS = {"-tp": "--tensor-parallel-size", "-dp": "--data-parallel-size"}
FOREIGN_CODE = (
    *("--trust-remote-code", "--tool-parser-plugin", "--reasoning-parser-plugin", "--middleware"),
    *("--allowed-local-media-path", "--logits-processors", "--worker-cls"),
    *("--worker-extension-cls",),
)
"""Arguments that run code, or read files, that nobody here looked at."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """A vLLM server with its own environment; one is started for all that need the same."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Number format of weights and activations."""
    arguments: tuple[str, ...] = ()
    """Further arguments of vLLM, e.g. ["--quantization", "fp8"]."""
    interpreter: Annotated[str | None, NotInKey] = None
    """Python of vLLM's environment; null: TSO_SAMPLING_PYTHON, else `.venv-sampling`."""
    command: Annotated[tuple[str, ...], NotInKey] = ("-m", "vllm.entrypoints.openai.api_server")
    """What that interpreter runs."""
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
        """Refuse arguments that would serve another model, or run foreign code."""
        for argument in self.arguments:
            name = argument.partition("=")[0].replace("_", "-")
            name = SHORT_FORMS.get(name, name)
            if _means(name, FOREIGN_CODE):
                raise ConfigError(
                    f"arguments: {argument!r} runs or reads what nobody here looked at; leave it "
                    "out: models need a class that vLLM knows, and safetensors weights"
                )
            if _means(name, OWN_ARGUMENTS):
                raise ConfigError(
                    f"arguments: {argument!r} is decided by other settings; see max_model_len, "
                    "max_num_seqs, dtype, tensor_parallel, data_parallel, memory_share, adapters"
                )


def _means(name: str, arguments: tuple[str, ...]) -> bool:
    """Whether `name` is one of `arguments`, or the beginning of one: parsers take that, too."""
    return name.startswith("--") and any(one.startswith(name) for one in arguments)


def check_place(base_url: str | Sequence[str], server: ServerSettings | None) -> None:
    """Refuse who is asked at no address and has no server of ours, or who has both."""
    if bool(base_url) == (server is not None):
        has = "both base_url and server" if base_url else "neither base_url nor server"
        raise ConfigError(
            f"a model that is asked has {has}; write the address of a server that runs, or "
            "`server: {}` to serve the folder `model` here"
        )
