"""`PYTHON rings.py FOLDER ACCOUNT CONTAINER OBJECT`: where Swift keeps what, by the three ports.

Runs in Swift's own environment, so it imports nothing of ours. One device, one replica: which part
an object belongs to does not depend on ports, so data stays where it is when they change.
"""

import sys

from swift.common.ring import RingBuilder

PART_POWER = 4
"""16 parts: a larger number would only spread one device over more folders."""


def write_ring(folder: str, kind: str, port: int) -> None:
    """Write FOLDER/<kind>.ring.gz with the one device d1 behind `port`."""
    builder = RingBuilder(PART_POWER, replicas=1, min_part_hours=0)
    device = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1}
    builder.add_dev({**device, "replication_ip": "127.0.0.1", "replication_port": port})
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")


if __name__ == "__main__":
    for kind, port in zip(("account", "container", "object"), sys.argv[2:], strict=True):
        write_ring(sys.argv[1], kind, int(port))
