"""Children of a process whose threads have computed, and may be computing: each must end, with the same bits."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable

import numpy as np

import fastloss as fl
from tests.soak.report import Done

PATIENCE = 30  # seconds for what takes milliseconds

RNG = np.random.default_rng(0)
Y, X = RNG.normal(size=(2, 40_000)).astype(np.float32)
LOGITS, LABELS = RNG.normal(size=(3000, 20)), RNG.integers(0, 20, 3000)
OBJECTIVE = fl.LinearObjective(fl.BinaryCrossEntropyWithLogits(), LOGITS, LABELS > 9)


def results() -> bytes:
    """Bits of several families, on two threads where that is allowed."""
    value, grad = fl.BinaryCrossEntropyWithLogits().value_and_grad(Y > 0, X, num_threads=2)
    of_rows, grad_of_rows = fl.CrossEntropy().value_and_grad(LABELS, LOGITS, num_threads=2)
    of_model, grad_of_model = OBJECTIVE.value_and_grad(np.ones(OBJECTIVE.size), num_threads=2)
    means = fl.SquaredError().states(Y[:3000], X[:3000], groups=LABELS, num_threads=2).mean
    numbers = np.array([value, of_rows, of_model])
    return b"".join(map(bytes, (numbers, grad, grad_of_rows, grad_of_model, means)))


def succeeds(work: Callable[[], bool]) -> bool:
    """Whether it is true in a child, and in time."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        code = 2
        try:
            code = 0 if work() else 1
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def in_a_thread(work: Callable[[], bool]) -> bool:
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(succeeds(work)))
    thread.start()
    thread.join()
    return answers == [True]


def main(forks: int) -> int:
    warnings.simplefilter("ignore", DeprecationWarning)  # of forks where there are threads
    began, failures, done = time.monotonic(), 0, 0
    wanted = results()
    computing = threading.Event()

    def compute() -> None:
        while done < forks:
            computing.wait(1)
            results()

    threading.Thread(target=compute, daemon=True).start()

    def same() -> bool:
        return results() == wanted

    ways = [lambda: succeeds(same), lambda: in_a_thread(same), lambda: succeeds(lambda: succeeds(same) and same())]
    while done < forks:
        (computing.set if done // len(ways) % 2 else computing.clear)()
        right = ways[done % len(ways)]() and same()
        done += 1
        if not right:
            failures += 1
            print(f"fork {done} failed", flush=True)
    print(Done(done, "forks", round(time.monotonic() - began), failures))
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
