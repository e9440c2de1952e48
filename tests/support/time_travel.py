"""Another hour and day for every test and every server: `TEST_NOW=2028-02-29T12:00:00Z make test`.

No test may depend on when it runs; this shows it.
"""

import datetime
import os
import time

import time_machine

NOW = "TEST_NOW"
OFFSET = "TEST_TIME_OFFSET"


def set_time() -> None:
    """Shift the time of this process as requested; its child processes get the difference."""
    if OFFSET not in os.environ:
        asked = datetime.datetime.fromisoformat(os.environ[NOW])
        os.environ[OFFSET] = str(asked.timestamp() - time.time())
    inherit_time()


def inherit_time() -> None:
    """Shift the time of this process to that of its parent."""
    if OFFSET in os.environ:
        time_machine.travel(time.time() + float(os.environ[OFFSET]), tick=True).start()
