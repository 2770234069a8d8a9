"""Conformance cases with Python clients, confluent-kafka and aiokafka, and with programs: kcat and Kafka's own tools, whose jars are in
the directory that KAFKA_JARS names.

    main.py BOOTSTRAP [--only TEXT] [--threads N] [--list]

Prints a line for each case, `ok NAME SECONDS` or `FAILED NAME SECONDS WHY`, and exits 1 when one failed. A case knows nothing but the
address of a broker and makes topics, groups and transactional ids of its own, so that all may run beside each other.
"""

import argparse
import concurrent.futures
import sys
import threading
import time
import traceback

import aio
import fetch
import groups
import kcat
import offsets
import produce
import retention
import rebalances
import tools
import topics
import transactions
import zombies
from kit import Kit

MODULES = [tools, transactions, zombies, groups, rebalances, retention, topics, produce, fetch, offsets, aio, kcat]
DEADLINE_S = 150
TELLING = threading.Lock()


def cases():
    for module in MODULES:
        for name, function in vars(module).items():
            if getattr(function, "__module__", None) == module.__name__ and getattr(function, "is_case", False):
                family = module.__name__ if module in (kcat, tools) else f"python/{module.__name__}"
                yield f"{family}/{name}", function


def tell(line):
    """A line of its own: print writes its end apart, and other cases tell at the same time."""
    with TELLING:
        print(line, flush=True)


def run(name, function, bootstrap):
    began = time.monotonic()
    kit = Kit(bootstrap, name)
    why = None
    try:
        function(kit)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
        why = f"{type(error).__name__}: {error} [{where}]".replace("\n", " ")
    try:
        kit.close()
    except Exception as error:
        why = why or f"while closing: {error}"
    took = time.monotonic() - began
    tell(f"ok {name} {took:.1f}" if why is None else f"FAILED {name} {took:.1f} {why}")
    return why is None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("bootstrap")
    arguments.add_argument("--only", default="")
    arguments.add_argument("--threads", type=int, default=8)
    arguments.add_argument("--list", action="store_true")
    arguments = arguments.parse_args()
    chosen = [(name, function) for name, function in cases() if arguments.only in name]
    if arguments.list:
        print("\n".join(name for name, _ in chosen))
        return 0
    pool = concurrent.futures.ThreadPoolExecutor(arguments.threads)
    running = {pool.submit(run, name, function, arguments.bootstrap): name for name, function in chosen}
    done, late = concurrent.futures.wait(running, DEADLINE_S)
    for each in late:
        tell(f"FAILED {running[each]} {DEADLINE_S} not done by the deadline")
    # Not through the pool's own end: a case that hangs would hold it.
    import os

    os._exit(0 if not late and all(each.result() for each in done) else 1)


if __name__ == "__main__":
    sys.exit(main())
