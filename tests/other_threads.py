"""What other threads do while one is busy."""

import threading
import time

import numpy as np
import pytest


def in_another_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def watched(work, calls):
    """Run `work(wait)` while two threads make calls; return the errors of the calls.

    `wait()` returns when each thread has made each of the calls once more, from beginning to end:
    how often they come to run otherwise is the machine's affair.
    """
    errors, counts, done = [], [0, 0], threading.Event()

    def read(place):
        while not done.is_set():
            for call in calls:
                try:
                    call()
                except Exception as error:
                    errors.append(repr(error))
                counts[place] += 1

    def wait():
        enough = [count + len(calls) + 1 for count in counts]
        end = time.monotonic() + 60
        while any(count < least for count, least in zip(counts, enough, strict=True)):
            assert time.monotonic() < end, f"calls in other threads do not return: {counts}"
            time.sleep(0.001)

    threads = [threading.Thread(target=read, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    try:
        work(wait)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return errors


def different(columns, seed):
    rng = np.random.default_rng(seed)
    pd = pytest.importorskip("pandas")
    names = rng.choice(list("abcdefgh")[: 2 + seed % 7], (150, columns))
    return pd.DataFrame(names, columns=list("uvw")), rng.normal(size=150)
