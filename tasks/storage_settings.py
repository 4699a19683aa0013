"""Where artifacts live and how the place is reached; nothing here is secret."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError

KMS = "sse-kms"


@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """Where artifacts live. Everything but `root` and `cache_gib` is about S3.

    No setting here enters a stage key, and none is a secret: keys come from a Prefect block, a
    profile or the AWS_* variables, in this order.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    root: str
    """file:// folder, memory:// or s3://bucket/prefix; the variable TSO_STORE overrides it."""
    endpoint: str | None = None
    """URL of an S3 server; null: AWS_ENDPOINT_URL, else AWS."""
    region: str | None = None
    """Region of the bucket; null: AWS_DEFAULT_REGION or the profile's."""
    path_style: bool | None = None
    """Whether the bucket is part of the path, not of the host name; null: at any endpoint but
    AWS's."""
    encryption: Literal["sse-s3", "sse-kms"] | None = None
    """Encryption by the server: with keys of S3, or of KMS; null: what the bucket does itself."""
    kms_key: str | None = None
    """Id or ARN of the key for `encryption: sse-kms`; null: the account's default key."""
    profile: str | None = None
    """A profile of ~/.aws/config and ~/.aws/credentials; null: AWS_PROFILE or AWS_* variables."""
    credentials: str | None = None
    """A Prefect block with the keys, as type/name: secret/NAME or aws-credentials/NAME."""
    proxy: str | None = None
    """URL of a proxy; null: HTTPS_PROXY and HTTP_PROXY."""
    ca_bundle: str | None = None
    """File with the certificates that vouch for the endpoint; null: those of the system."""
    verify: bool = True
    """false trusts whoever answers at the endpoint: only for trying things out."""
    cache_gib: Annotated[float, Field(ge=0)] = 50.0
    """Local disk for copies of checkpoints and big tables (GiB); TSO_CACHE_GIB overrides it."""

    def __post_init__(self) -> None:
        for name in ("endpoint", "proxy"):
            _check_url(f"storage.{name}", getattr(self, name))
        if self.kms_key is not None and self.encryption != KMS:
            raise ConfigError(
                f"storage.kms_key is set, but storage.encryption is {self.encryption!r}; "
                f"write encryption: {KMS}, or leave the key out"
            )
        if self.credentials is not None:
            _check_block(self.credentials, self.profile)
        if self.ca_bundle is not None and not self.verify:
            raise ConfigError(
                "storage.ca_bundle says whom to trust, storage.verify: false trusts everybody; "
                "leave one of them out"
            )


def _check_url(key: str, url: str | None) -> None:
    """Refuse what is no URL, and one that holds a password, which is not repeated."""
    if url is None:
        return
    if "@" in url:
        raise ConfigError(
            f"{key} holds an @ (a password?); write it without. A proxy's password belongs into "
            "the variable HTTPS_PROXY"
        )
    scheme, separator, host = url.partition("://")
    if not separator or scheme not in ("http", "https") or not host.strip("/"):
        raise ConfigError(f"{key} is {url!r}; it has to be a URL like https://s3.example.org:9000")


def _check_block(block: str, profile: str | None) -> None:
    kind, _, name = block.partition("/")
    if kind not in ("secret", "aws-credentials") or not name:
        raise ConfigError(
            f"storage.credentials is {block!r}; it names a Prefect block: secret/NAME or "
            "aws-credentials/NAME"
        )
    if profile is not None:
        raise ConfigError(
            f"storage.credentials ({block}) and storage.profile ({profile}) both say where keys "
            "come from; leave one of them out"
        )
