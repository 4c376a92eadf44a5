"""Waiting for conditions. A test never sleeps where it can ask whether the thing it waits for has happened."""

import os
import time

# Sanitizer builds are several times slower; every limit below is multiplied by this.
PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))


class NeverHappened(AssertionError):
    """The condition did not come true in time."""


def eventually(condition, what, timeout_s=30.0, interval_s=0.02):
    """Calls `condition` until it returns something true and returns that.

    `what` completes the sentence "waited in vain for ...". An AssertionError inside `condition` counts as "not yet"."""
    deadline = time.monotonic() + timeout_s * PATIENCE
    last = None
    while True:
        try:
            last = condition()
        except AssertionError as refusal:
            last = refusal
        else:
            if last:
                return last
        if time.monotonic() >= deadline:
            raise NeverHappened(f"waited {timeout_s * PATIENCE:.0f} s in vain for {what}; last seen: {last!r}")
        time.sleep(interval_s)
