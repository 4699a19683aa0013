"""How much memory a process has held at most, alike on both sides; needs nothing but Linux."""

from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """VmHWM: the most resident memory this process ever had."""
    for line in STATUS.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) * 1024
    raise OSError(f"{STATUS} has no line VmHWM; memory is measured on Linux only")
