"""What Swift's four processes read: their configuration, and the credentials that they accept."""

import getpass
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

REGION = "us-east-1"
BACKENDS = ("account", "container", "object")
"""Processes behind the proxy: names of accounts, names of objects, their bytes."""
PIPELINE = (
    "catch_errors healthcheck listing_formats bulk s3api tempauth copy slo dlo versioned_writes "
    "symlink proxy-server"
)
MOST_PARTS = 10_000
"""Parts of one upload, as on AWS; Swift's own default is 1,000."""
SECONDS = 60
"""Longest wait of one process for another: a busy machine must not look like a broken one."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a client of the server signs with."""

    key: str
    """Access key id: account and user."""
    secret: str = field(repr=False)
    """Secret access key."""


def credentials_of(folder: Path) -> tuple[Credentials, Credentials]:
    """Those who may do everything and those who may only read, made where there are none."""
    path = folder / "credentials.json"
    if not path.exists():
        made = {name: secrets.token_hex(16) for name in ("tso:main", "tso:reader")}
        write_private(path, json.dumps(made))
    known = json.loads(path.read_text(encoding="utf-8"))
    main, reader = (Credentials(key=key, secret=known[key]) for key in ("tso:main", "tso:reader"))
    return main, reader


def write_configuration(folder: Path, ports: Mapping[str, int]) -> None:
    """Write `etc/*.conf` below `folder`; what names stored objects stays as it was."""
    etc = folder / "etc"
    names = etc / "swift.conf"
    if not names.exists():
        prefix, suffix = secrets.token_hex(8), secrets.token_hex(8)
        write_private(
            names,
            f"[swift-hash]\nswift_hash_path_prefix = {prefix}\nswift_hash_path_suffix = {suffix}\n",
        )
    write_private(etc / "proxy.conf", _proxy(folder, ports["proxy"]))
    for kind in BACKENDS:
        write_private(etc / f"{kind}.conf", _backend(folder, kind, ports[kind]))


def _common(folder: Path, port: int) -> str:
    return f"""[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {getpass.getuser()}
swift_dir = {folder}/etc
devices = {folder}/srv
mount_check = false
fallocate_reserve = 0
log_level = WARNING
"""


def _proxy(folder: Path, port: int) -> str:
    main, reader = credentials_of(folder)
    users = f"user_{main.key.replace(':', '_')} = {main.secret} .admin\n"
    users += f"user_{reader.key.replace(':', '_')} = {reader.secret} .reseller_reader\n"
    own = {
        "s3api": f"location = {REGION}\nmax_upload_part_num = {MOST_PARTS}\n",
        "tempauth": users,
        "slo": f"max_manifest_segments = {MOST_PARTS}\nmax_manifest_size = {2**24}\n",
    }
    filters = "".join(
        f"[filter:{name}]\nuse = egg:swift#{name}\n{own.get(name, '')}"
        for name in PIPELINE.split()[:-1]
    )
    return (
        f"{_common(folder, port)}[pipeline:main]\npipeline = {PIPELINE}\n{filters}"
        f"[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
        f"allow_account_management = true\nnode_timeout = {SECONDS}\nconn_timeout = {SECONDS}\n"
        f"recoverable_node_timeout = {SECONDS}\n"
    )


def _backend(folder: Path, kind: str, port: int) -> str:
    """A listing lacks an object whose container was not told in time, so it is given time."""
    return (
        f"{_common(folder, port)}container_update_timeout = {SECONDS}\nconn_timeout = {SECONDS}\n"
        f"node_timeout = {SECONDS}\n[pipeline:main]\npipeline = healthcheck {kind}-server\n"
        f"[filter:healthcheck]\nuse = egg:swift#healthcheck\n"
        f"[app:{kind}-server]\nuse = egg:swift#{kind}\n[{kind}-updater]\nconcurrency = 1\n"
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
