"""An attempt of a flow run that was taken for dead, and finds that another one goes on."""

import logging
import os

_log = logging.getLogger(__name__)


def end_without_a_word() -> None:
    """End this process as if it had done its work, its children with it (their supervisor's doing).

    Any other end would be told to the server: Failed or Crashed, over the attempt that goes on, and
    that would cost it a retry.
    """
    _log.warning("Another attempt of this flow run has taken its work over; this one ends here.")
    logging.shutdown()
    os._exit(0)
