"""`python -m infra.images.health`: whether the Prefect server of a container answers."""

import json
import os
import sys
import urllib.error
import urllib.request

SECONDS = 10.0


def main() -> int:
    """0 if it does; 1, with the reason, if not."""
    url = os.environ.get("PREFECT_API_URL", "")
    if not url.startswith(("http://", "https://")):
        sys.stdout.write(
            f"PREFECT_API_URL is {url!r}; it has to be the address of a server's API\n"
        )
        return 1
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=SECONDS) as answer:
            healthy = json.load(answer) is True
    except (urllib.error.URLError, OSError, ValueError) as error:
        sys.stdout.write(f"{url}: {error}\n")
        return 1
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
