"""What all judges that ask a language model share; they render and read, and call nobody."""

from dataclasses import dataclass
from typing import Any, ClassVar

from tasks.errors import ConfigError
from tasks.judges._answers import Structured
from tasks.judges._connection import Connection
from tasks.judges._version import judge_version
from tasks.opinions import Opinion, Tokens
from tasks.records import Message, Prompt
from tasks.templates import template_text
from tasks.variants import kind_of


@dataclass(frozen=True, kw_only=True)
class Asking(Connection):
    """A judge whose opinion is the reply of a model behind a server.

    A question is about two responses, or, where the judge has a `scale`, about one.
    """

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "base_url": "http://127.0.0.1:8000/v1",
        "model": "org/judge",
    }
    SEMANTICS: ClassVar[int] = 1
    SHAPE: ClassVar[str] = "asks"
    READS_CUT_REPLIES: ClassVar[bool] = False
    """Whether a reply that was cut at max_tokens may hold an opinion."""
    FORMS: ClassVar[tuple[Structured, ...]] = ("none", "json_schema", "choice")
    """What `structured` may be."""

    template: str = ""
    """A template of this package, or the path of a .j2 file."""
    structured: Structured = "none"
    """How the server holds replies to their form: none (a last line is agreed upon), json_schema
    (the API's response_format), or choice (vLLM's structured_outputs: no reasons are given)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.structured not in self.FORMS:
            raise ConfigError(
                f"{kind_of(self)} judge: structured is {self.structured!r}; its replies can be "
                f"held to: {', '.join(self.FORMS)}"
            )

    def version(self) -> str:
        """Digest of the settings and of the template's text."""
        return judge_version(self, template_text(self.template))

    def request(self) -> dict[str, Any]:
        """Settings of each call, as the API names them."""
        return {"temperature": self.temperature, "max_tokens": self.max_tokens, **self.form()}

    def form(self) -> dict[str, Any]:
        """The part of `request` that holds the reply to its form."""
        raise NotImplementedError

    def render(self, prompt: Prompt, first: str, second: str = "") -> list[Message]:
        """The conversation that asks about the texts `first` and `second`, or about `first`."""
        raise NotImplementedError

    def parse(self, reply: str, tokens: Tokens = ()) -> Opinion:
        """The opinion in `reply`, whose likeliest first tokens were `tokens` if asked for.

        What has not exactly the agreed form is `unparsed`; nothing is guessed from it.
        """
        raise NotImplementedError
