from infra.processes.children import Limits, child_events, run_child
from infra.processes.supervised import Supervised

__all__ = ["Limits", "Supervised", "child_events", "run_child"]
