"""A reference that follows the policy during the round instead of staying what was scored."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tasks.training.batches import Group
from tasks.training.logprobs import token_logps
from tasks.training.policy import Policy
from tasks.training.settings import LiveReferenceSettings


@dataclass(frozen=True, kw_only=True)
class LiveReference:
    """A second model in memory; it starts as the policy does."""

    model: Policy
    settings: LiveReferenceSettings

    @torch.no_grad()
    def scored(self, group: Group) -> Group:
        """`group` with the log-probabilities of the first reference as it is now."""
        logps_N = torch.cat([token_logps(self.model, one) for one in group.packs])
        own_1BT = group.by_branch(logps_N)[None]
        others = [] if group.reference_KBT is None else [group.reference_KBT[1:]]
        return replace(group, reference_KBT=torch.cat([own_1BT, *others]))

    @torch.no_grad()
    def follow(self, policy: Policy, step: int) -> None:
        """After optimizer step `step`: move towards `policy`, if it is time.

        Source: TR-DPO, arXiv:2404.09656: soft update (mixing < 1) and hard update (mixing 1).
        """
        if step % self.settings.every == 0:
            own = self.model.parameters
            for name, parameter in policy.parameters.items():
                own[name].lerp_(parameter, self.settings.mixing)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint has to keep."""
        return {name: parameter.detach() for name, parameter in self.model.parameters.items()}
