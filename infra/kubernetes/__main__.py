"""`python -m infra.kubernetes`: write the base job template of every work pool."""

import sys

from infra.kubernetes.templates import POOLS, pool_names, written


def main() -> None:
    """Write infra/kubernetes/pools/NAME.json for each pool, and say so."""
    POOLS.mkdir(exist_ok=True)
    for name in pool_names():
        file = POOLS / f"{name}.json"
        file.write_text(written(name), encoding="utf-8")
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
