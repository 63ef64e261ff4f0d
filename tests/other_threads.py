"""What other threads do while one is busy."""

import threading

import numpy as np
import pytest


def in_another_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def watched(estimator, X, work, calls):
    """Return how many calls other threads made while `work` ran, and their errors."""
    errors, counts, done = [], [0, 0], threading.Event()

    def read(place):
        while not done.is_set():
            for call in calls:
                try:
                    call()
                except Exception as error:
                    errors.append(repr(error))
                counts[place] += 1

    threads = [threading.Thread(target=read, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return sum(counts), errors


def different(columns, seed):
    rng = np.random.default_rng(seed)
    pd = pytest.importorskip("pandas")
    names = rng.choice(list("abcdefgh")[: 2 + seed % 7], (150, columns))
    return pd.DataFrame(names, columns=list("uvw")), rng.normal(size=150)
