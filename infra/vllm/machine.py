"""What vLLM finds on this machine: its interpreter, the environment it is given, GPUs, ports."""

import os
import socket
import subprocess

from infra.environment import NVIDIA, SAMPLING_VARIABLE, sampling_python
from tasks.errors import ConfigError

PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LD_LIBRARY_PATH"),
    *("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "SSL_CERT_FILE"),
)
"""Variables that a server gets of ours; keys, tokens and passwords are not among them."""
PASSED_ON_PREFIXES = (
    *("LC_", "CUDA_", "NVIDIA_", "NCCL_", "GLOO_", "ROCR_", "HIP_"),
    *("VLLM_", "TORCH_", "TORCHINDUCTOR_", "TRITON_", "OMP_", "MKL_", "KMP_"),
)
"""Beginnings of others: how GPUs, threads and vLLM itself are set up."""
SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")
"""Parts of names that are kept back even so, e.g. VLLM_API_KEY."""


def interpreter() -> str:
    """The Python of vLLM's environment; ConfigError names the command that makes it."""
    python = sampling_python()
    if os.access(python, os.X_OK):
        return str(python)
    raise ConfigError(
        f"vLLM has no interpreter at {python}; make its environment with "
        f"`python3 -m infra.environment sampling`, or let {SAMPLING_VARIABLE} name one"
    )


def on_gpu() -> bool:
    """Whether there is an NVIDIA GPU, which decides how vLLM is set up."""
    return NVIDIA.exists()


def visible_gpus() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; none without."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return tuple(name.strip() for name in allowed.split(",") if name.strip())
    return tuple(one[0] for one in _nvidia_smi("index"))


def gpu_memory() -> dict[str, int]:
    """Used memory of each GPU (bytes) by its index; empty without GPUs."""
    return {index: int(used) << 20 for index, used in _nvidia_smi("index,memory.used")}


def _nvidia_smi(query: str) -> list[list[str]]:
    """One row per GPU."""
    if not on_gpu():
        return []
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return []
    return [[part.strip() for part in line.split(",")] for line in done.stdout.splitlines()]


def environment_for(server: dict[str, str]) -> dict[str, str]:
    """The whole environment of a server: what it needs of ours, and `server`."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if (name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES))
        and not any(part in name for part in SECRET)
    }
    return {**passed, **server}


def free_port() -> int:
    """A port of the loopback address that nobody listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
