"""Several judges that answer together: their verdicts become one."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError
from tasks.judges._version import judge_version
from tasks.variants import chosen_from, kind_of

MEMBER_SHAPES = ("asks", "scores", "compares")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Judges that ask, score or compare, each under its name; a panel is no member of a panel.

    Every member's verdicts are a stage of their own: another rule or weight asks nobody again.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "members": {
            "checks": {"kind": "rule"},
            "short": {"kind": "simulated", "judge": {"kind": "rule"}, "noise": 0.2},
            "careless": {"kind": "simulated", "judge": {"kind": "rule"}, "noise": 0.4},
        }
    }
    SEMANTICS: ClassVar[int] = 1
    SHAPE: ClassVar[str] = "panel"

    members: Annotated[dict[str, Annotated[Any, *chosen_from("tasks.judges")]], Field(min_length=2)]
    """The judges by name."""
    rule: Literal["majority", "weighted", "unanimous"] = "majority"
    """majority: more than half of the votes that were understood, else a tie; weighted: likewise,
    by weight; unanimous: all members agree, else a tie, and unparsed if one was not understood."""
    weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = field(
        default_factory=dict
    )
    """What each member's vote weighs, for rule weighted; members not named weigh 1."""
    quorum: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the members (by weight) of whom more must be understood, or it is unparsed."""

    def __post_init__(self) -> None:
        for name, member in self.members.items():
            if member.SHAPE not in MEMBER_SHAPES:
                raise ConfigError(
                    f"panel member {name!r} is {kind_of(member)!r}, which is "
                    f"{member.SHAPE!r}; members ask, score or compare: recorded verdicts and "
                    "panels are judges of their own"
                )
        if len({bool(member.both_orders) for member in self.members.values()}) > 1:
            raise ConfigError(
                "some members of the panel are asked in both orders and some in one; set "
                "both_orders alike, so that their verdicts are about the same questions"
            )
        if unknown := sorted(self.weights.keys() - self.members.keys()):
            raise ConfigError(f"weights name {unknown}; members are: {', '.join(self.members)}")
        if self.weights and self.rule != "weighted":
            raise ConfigError(f"weights are given, but rule is {self.rule!r}; write weighted")

    @property
    def both_orders(self) -> bool:
        """Whether its members see each comparison in both orders."""
        return all(member.both_orders for member in self.members.values())

    def weight(self, member: str) -> float:
        """What the vote of a member weighs."""
        return self.weights.get(member, 1.0)

    def version(self) -> str:
        """Digest of the settings, and of each member's own."""
        return judge_version(self, *(one.version() for _, one in sorted(self.members.items())))


VARIANT = Panel
