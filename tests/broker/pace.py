"""The pace of a producer that writes under a test's faults."""

import signal
import time


class Pace:
    """So many records a second, or as fast as Kafka takes them. From SIGTERM on there is no more waiting: the faults are over, and
    what is still to be written comes at once."""

    def __init__(self, rate):
        self.rate = rate
        self.began = time.monotonic()
        signal.signal(signal.SIGTERM, self.hurry)

    def hurry(self, *_):
        self.rate = None

    def end(self):
        """All is written. An interpreter that ends puts the handlers of Python back to the default, which is to die of the signal; one
        that is ignored stays so."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def keep(self, count):
        """Waits until so many records are due."""
        # In slices: a signal does not end a sleep.
        while self.rate and (left := self.began + count / self.rate - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
