"""What people decide after a round: over the gate's word, or back to an earlier round; pure.

A decision lies beside its round and changes nothing that is committed; the last one counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.errors import ConfigError

Manifest = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A person's word on what the next round starts from."""

    action: Literal["promote", "refuse", "rollback"]
    """promote: the round's policy; refuse: the reference that it began from; rollback: what came
    out of an earlier round."""
    reason: str
    """Why, in the person's words."""
    by: str
    """Who decided."""
    at: str
    """When, as ISO 8601 in UTC."""
    reference: dict[str, Any]
    """The checkpoint that the next round starts from."""
    to_round: int | None = None
    """For a rollback: the round that it goes back to."""


class History:
    """The committed rounds of a run and what people decided after each of them."""

    def __init__(
        self,
        manifests: Sequence[Manifest],
        decisions: Mapping[int, Sequence[Mapping[str, Any]]],
    ) -> None:
        """`decisions` are listed by round, as they were written down, the first one first."""
        self.manifests = list(manifests)
        self._last = {index: Decision(**some[-1]) for index, some in decisions.items() if some}

    def decided(self, round_index: int) -> Decision | None:
        """The decision that counts after a round, if people took one."""
        return self._last.get(round_index)

    def reference_after(self, round_index: int) -> dict[str, Any]:
        """The checkpoint that the round after `round_index` starts from."""
        decision = self.decided(round_index)
        return decision.reference if decision else self.manifests[round_index]["reference_out"]

    def refreshed(self, round_index: int) -> bool:
        """Whether the policy of a round became the reference, by the gate or by a person."""
        decision = self.decided(round_index)
        if decision is None or decision.action == "rollback":
            return bool(self.manifests[round_index]["gate"]["outcome"] != "refused")
        return decision.action == "promote"

    def basis_of(self, round_index: int) -> int:
        """The round whose cells' strengths hold after `round_index`: a rollback goes back."""
        decision = self.decided(round_index)
        back = decision.to_round if decision else None
        return round_index if back is None else self.basis_of(back)

    def overruling(self, round_index: int, action: str) -> dict[str, Any]:
        """The checkpoint to start from if `action` overrules the gate after the newest round.

        Raises ConfigError if the round is not the newest, or the word would change nothing.
        """
        self._check_newest(round_index)
        manifest = self.manifests[round_index]
        wanted = manifest["policy" if action == "promote" else "reference_in"]
        if self.reference_after(round_index)["sha256"] == wanted["sha256"]:
            raise ConfigError(
                f"the next round starts from {wanted['sha256'][:12]} already; there is nothing to "
                f"{action}"
            )
        return dict(wanted)

    def rolled_back(self, to_round: int) -> dict[str, Any]:
        """The checkpoint that came out of an earlier round; ConfigError if that is none."""
        newest = len(self.manifests) - 1
        if to_round not in range(newest):
            allowed = f"rounds 0 to {newest - 1}" if newest > 0 else "none, there is no earlier one"
            raise ConfigError(f"round {to_round} cannot be gone back to; allowed: {allowed}")
        return dict(self.reference_after(to_round))

    def _check_newest(self, round_index: int) -> None:
        newest = len(self.manifests) - 1
        if round_index not in range(newest + 1):
            raise ConfigError(f"round {round_index} is not committed; {newest + 1} rounds are")
        if round_index < newest:
            raise ConfigError(
                f"rounds {round_index + 1} to {newest} were built on round {round_index}, whose "
                f"outcome stays. To go on without them: tso rollback RUN {round_index}; to try "
                f"the other outcome: tso fork RUN@{round_index} NEW, then tso gate NEW"
            )
