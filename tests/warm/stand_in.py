"""`python stand_in.py SOCKET -P -m MODULE ...`: has the server fork it, and stands in for it.

Signals go on to the child, its exit code comes back; when this process is killed the child is, too.
"""

import json
import os
import signal
import socket
import struct
import sys

KILLED = 137


def main(path: str, arguments: list[str]) -> int:
    """Ask for the child, wait for its end; its exit code."""
    if arguments[:2] != ["-P", "-m"]:
        raise SystemExit(f"a warm child is started with -P -m MODULE, not {arguments}")
    asked = {
        "arguments": arguments[2:],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "nice": os.nice(0),
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [json.dumps(asked).encode()], [1, 2])
        child = number(connection)
        if child is None:
            return KILLED
        signal.signal(signal.SIGTERM, lambda sent, _: os.kill(child, sent))
        code = number(connection)
        return KILLED if code is None else code


def number(connection: socket.socket) -> int | None:
    """What the child says next; None when it is gone."""
    said = connection.recv(4)
    return struct.unpack("i", said)[0] if said else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
