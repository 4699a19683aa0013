"""Who may answer: links with a signed token, and the sessions that they begin.

Nothing is kept: a token says whose it is and until when, and an HMAC over that says that we made
it. So a server that was killed knows everybody again. There are no cookies: a browser sends them
to every port of a machine, and to us from the pages of others.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.run_tree import NAME
from infra.work import work_root
from tasks.errors import ConfigError

KEY_VARIABLE = "TSO_ANNOTATE_KEY_FILE"
"""Names the file of the key where it is not `annotation.key` in the folder for local work."""
KEY_BYTES = 32
DAY_SECONDS = 86400.0
LINK_SECONDS = 30 * DAY_SECONDS
"""How long a link works; a round is open for days."""
SESSION_SECONDS = 7 * DAY_SECONDS
"""How long a browser is known without the link."""
LINK, SESSION = "link", "session"
"""What a token is for; one is no good as the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """What a token says."""

    run: str
    """The run whose batches may be answered."""
    annotator: str
    """Whose answers they are."""
    session: str
    """Random id of the session; empty in a link."""
    expires: int
    """Unix time, s."""


class Keys:
    """Makes tokens and reads them again."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def link_token(self, run: str, annotator: str, now: float, lasts: float = LINK_SECONDS) -> str:
        """What stands behind the # of an annotator's link."""
        for what, name in (("run", run), ("annotator", annotator)):
            if not NAME.fullmatch(name):
                raise ConfigError(
                    f"{what} {name!r}: use 1 to 63 of a-z, 0-9, dot, dash and underscore, "
                    "beginning with a letter or digit"
                )
        expires = int(now + lasts)
        return self._signed(LINK, Pass(run=run, annotator=annotator, session="", expires=expires))

    def session(self, link: Pass, now: float) -> str:
        """A session for whoever came by a link."""
        expires = int(now + SESSION_SECONDS)
        begun = Pass(
            run=link.run,
            annotator=link.annotator,
            session=secrets.token_hex(8),
            expires=expires,
        )
        return self._signed(SESSION, begun)

    def read(self, purpose: str, token: str, run: str, now: float) -> Pass | None:
        """What `token` says if we made it for this purpose and run and it is not too old."""
        body, _, mark = token.partition(".")
        if not hmac.compare_digest(self._mark(purpose, body).encode(), mark.encode()):
            return None
        try:
            found = Pass(**json.loads(base64.urlsafe_b64decode(body)))
        except (binascii.Error, ValueError, TypeError):
            return None
        return found if found.run == run and found.expires > now else None

    def _signed(self, purpose: str, said: Pass) -> str:
        body = base64.urlsafe_b64encode(json.dumps(asdict(said)).encode()).decode()
        return f"{body}.{self._mark(purpose, body)}"

    def _mark(self, purpose: str, body: str) -> str:
        message = f"tso-annotation:{purpose}:{body}".encode()
        digest = hmac.new(self._secret, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def key_file() -> Path:
    """Where the key is kept on this machine."""
    named = os.environ.get(KEY_VARIABLE)
    return Path(named) if named else work_root() / "annotation.key"


def load_keys(file: Path | None = None) -> Keys:
    """The keys by the secret in `file`, which is made once, for its owner alone."""
    path = file or key_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    _make(path)
    secret = path.read_bytes()
    if len(secret) != KEY_BYTES:
        raise ConfigError(
            f"{path} holds {len(secret)} bytes, a key has {KEY_BYTES}; delete it: a new one is "
            "made, and links made before stop working"
        )
    return Keys(secret)


def _make(path: Path) -> None:
    """Make the file of the key unless it is there; of two who do, the first one's key stays."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def link(base: str, keys: Keys, run: str, annotator: str, lasts: float = LINK_SECONDS) -> str:
    """The link of one annotator. What follows the # stays in the browser: no server logs it."""
    return f"{base.rstrip('/')}/{run}#{keys.link_token(run, annotator, time.time(), lasts)}"
