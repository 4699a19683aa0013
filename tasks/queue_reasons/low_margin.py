"""The judges are hardly surer of the one response than of the other."""

import math
from dataclasses import dataclass

from tasks.queue_reasons._contract import Evidence, Reason


@dataclass(frozen=True, kw_only=True)
class LowMargin(Reason):
    """One less the margin |2 p - 1| of the mean probability that the judges that decide give."""

    def __call__(self, evidence: Evidence) -> float:
        """0 where no judge decides: other reasons speak of that."""
        said = [one for one in evidence.voices if one.outcome in ("a", "b")]
        total = math.fsum(one.weight for one in said)
        if not total:
            return 0.0
        p = math.fsum(one.weight * one.p_b_wins for one in said) / total
        return 1 - abs(2 * p - 1)


VARIANT = LowMargin
