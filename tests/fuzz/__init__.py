"""Random calls of everything, each of which must be right, refused as documented, and never a crash or a hang.

A case is drawn from two integers, the seed of the run and its own number: a loss of the registry with any parameters,
targets, predictions, weights and a mask, once (`cases.py`, of what `draws.py` draws). An oracle says what the results
must be (`oracle.py`): the NumPy twins in long double, with bounds on the errors that the obvious formula has in the
working precision (`bounds.py`). Then come a hundred calls of the same case (`losses.py`): all verbs, reductions and
types that hold the same numbers, in layouts and outputs whose memory is watched (`layouts.py`), for any number of
threads. The plainest call is judged by the oracle (`judging.py`), all others must agree with it to the bit; calls that
are bad on purpose must be refused (`refusals.py`). `families.py` has the cases of losses of vectors, boxes, regions and
sequences and of sums of losses, `language.py` those of what is built on cross-entropy.

    python -m tests.fuzz --calls 10000000 --seed 1 --jobs 2
    python -m tests.fuzz --replay 1:4711                        # one case, as a failure names it
"""
