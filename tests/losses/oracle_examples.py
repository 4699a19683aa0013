"""Single examples as numpy arrays without padding, for the oracles of losses.

`frozen` is what a formula holds constant (sg[.]): it stays when log-probabilities are moved to
measure a gradient.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Response:
    logps: np.ndarray
    references: np.ndarray
    frozen: np.ndarray
    columns: dict
    weights: np.ndarray

    def __len__(self):
        return len(self.logps)

    @property
    def logp(self):
        return float((self.weights * self.logps).sum())

    @property
    def ratio(self):
        return float((self.weights * (self.logps - self.references[0])).sum())

    @property
    def nll(self):
        return -float(self.logps.sum())

    def reference(self, k):
        return float((self.weights * self.references[k]).sum())


@dataclass
class Example:
    chosen: Response
    rejected: Response | None = None
    columns: dict = field(default_factory=dict)
    others: dict = field(default_factory=dict)
    variants: list = field(default_factory=list)
    imitated: Response | None = None

    @property
    def nll(self):
        return (self.imitated or self.chosen).nll

    @property
    def mean_nll(self):
        return self.nll / len(self.imitated or self.chosen)

    @property
    def h(self):
        return self.chosen.ratio - self.rejected.ratio

    @property
    def mean_h(self):
        return self.chosen.ratio / len(self.chosen) - self.rejected.ratio / len(self.rejected)


def examples_of(batch, moved=None):
    """The examples of a loss batch; `moved` is {side: log-probabilities} in place of its own."""
    moved = moved or {}

    def responses(name, side):
        logps = np.asarray(moved.get(name, side.logps.detach().numpy()))
        for p, mask in enumerate(side.mask.bool().numpy()):
            yield Response(
                logps=logps[p][mask],
                references=side.reference.numpy()[:, p][:, mask],
                frozen=side.logps.detach().numpy()[p][mask],
                columns={key: value.numpy()[p][mask] for key, value in side.columns.items()},
                weights=np.ones(int(mask.sum())),
            )

    chosen = list(responses("chosen", batch.chosen))
    rejected = list(responses("rejected", batch.rejected)) if batch.rejected else None
    others = {name: list(responses(name, side)) for name, side in batch.others.items()}
    return [
        Example(
            chosen=chosen[p],
            rejected=rejected[p] if rejected else None,
            columns={name: float(values[p]) for name, values in batch.columns.items()},
            others={name: values[p] for name, values in others.items()},
            variants=variants_of(batch.degrees, p),
        )
        for p in range(len(chosen))
    ]


def variants_of(degrees, p):
    if degrees is None:
        return []
    return [
        (degrees.logits.detach().numpy()[v], int(degrees.labels[v]))
        for v in range(len(degrees.labels))
        if int(degrees.pairs[v]) == p
    ]
