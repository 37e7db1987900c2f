"""What no call may do whatever it is given: crash, hang, ignore Ctrl-C, or touch memory that is not its own."""

import math
import os
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

import fastloss as fl
from fastloss._core import operands as _arrays
from tests.support import fresh

linux = pytest.mark.skipif(sys.platform != "linux", reason="as Linux has it")


# Stack ----------------------------------------------------------------------------------------------


@linux
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer's frames are larger")
def test_a_call_needs_little_stack():
    """Threads of a web server or of musl have 128 KB; glibc and Python take some of that for themselves."""
    fresh("""
import threading, warnings
import numpy as np
import fastloss as fl
from tests.inputs import draw_arrays, draw_rows

def arrays(loss, dtype, rng):
    if not loss.signature.rowwise:
        return [draw_arrays(loss, 1000, dtype, rng)]
    return [draw_rows(loss, 300, classes, dtype, rng, dense=not loss.signature.labels) for classes in (2, 7, 300)]

def work():
    rng = np.random.default_rng(0)
    for cls in fl.registry.values():
        for dtype in (np.float32, np.float64):
            for given in arrays(cls(), dtype, rng):
                cls().value_and_grad(*given, num_threads=1)
                cls().value_and_grad(*given, num_threads=2)
                if cls().signature.additive:
                    cls().states(*given, groups=np.arange(len(given[0])) % 3)
    X = rng.normal(size=(2000, 9))
    for loss, y in ((fl.LogCosh(), X[:, 0]), (fl.CrossEntropy(), np.arange(2000) % 3)):
        objective = fl.LinearObjective(loss, X, y)
        objective.value_and_grad(np.zeros(objective.size))
    total = fl.Chained(fl.SquaredError() + 0.5 * fl.BinaryCrossEntropy(), "sigmoid")
    for _ in range(4):  # sums within sums
        total = total + 0.1 * fl.BinaryCrossEntropyWithLogits()
        total = 2.0 * total + 0.1 * fl.SigmoidFocal()
    total.grad_and_hess(X[:, 0] > 0, X[:, 1])
    objective = fl.LinearObjective(total, X[:, 1:], X[:, 0] > 0)
    objective.value_and_grad(np.zeros(objective.size))
    done.append(True)

done = []
work()  # what is imported late needs more
threading.stack_size(128 * 1024)
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert len(done) == 2
""")


# Interrupts -----------------------------------------------------------------------------------------

LONG = {
    "elements": "fl.LogCosh()(big(2**36), big(2**36))",
    "in the second thread": "fl.LogCosh()(big(2**36), big(2**36), num_threads=2)",
    "rows": "fl.cross_entropy(np.broadcast_to(0, (2**30,)), big(2**30, 64))",
    "rows of many classes": "fl.cross_entropy([0], big(1, 2**36))",
    "classes that lie apart": "fl.cross_entropy([0] * 4, np.broadcast_to(labels[:4], (2**33, 4)), axis=0)",
    "two sums": "fl.MulticlassBrier()([0], big(1, 2**36))",
    "sorted rows": "fl.ListMLE()(line, line)",
    "pairs of classes": "fl.MultilabelMargin()((line > 0).astype('u1'), line)",
    "a linear objective": "fl.LinearObjective(fl.CrossEntropy(), X, labels)(np.zeros(3000 * 65))",
}

INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
import fastloss as fl

def big(*shape):
    return np.broadcast_to(np.float32(1), shape)

line = np.random.default_rng(0).normal(size=(1, 2 * 10**7)).astype("f")

X = np.ones((500_000, 64), "f")
labels = np.arange(len(X)) % 3000

def press():
    time.sleep(0.7)
    global pressed
    pressed = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
fl.mse([1.0], [2.0])
threading.Thread(target=press, daemon=True).start()
try:
    {call}
except KeyboardInterrupt:
    print(time.perf_counter() - pressed)
    assert fl.mse([1.0], [3.0]) == 4.0
else:
    sys.exit("it ended by itself")
"""


@linux
@pytest.mark.parametrize("what", LONG)
def test_ctrl_c_ends_a_running_call(what):
    fresh(INTERRUPTED.format(call=LONG[what]), timeout=60)


@linux
@pytest.mark.timing
@pytest.mark.parametrize("what", LONG)
def test_ctrl_c_ends_a_running_call_at_once(what):
    assert float(fresh(INTERRUPTED.format(call=LONG[what]), timeout=60)) < 0.2


@linux
def test_a_signal_handler_that_returns_does_not_end_a_call():
    fresh("""
import os, signal, threading, time
import numpy as np
import fastloss as fl
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(fl.mse([1.0], [3.0])))
x = np.broadcast_to(np.float32(1), (2**28,))
calling = True
def press():
    while calling:
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.01)
thread = threading.Thread(target=press)
thread.start()
assert fl.LogCosh()(x, x, num_threads=2) == 0.0
calling = False
thread.join()
assert len(seen) > 1 and set(seen) == {4.0}
""")


# Memory ---------------------------------------------------------------------------------------------


class Lying(np.ndarray):
    """An array that says it is larger than it is."""

    shape = (100_000,)
    strides = (4,)


@pytest.mark.parametrize("output", ["out", "grad_out", "hess_out"])
def test_an_output_is_as_large_as_its_memory(output):
    room = np.full(30, 7, np.float32)
    lying = room[10:20].view(Lying)
    y, x = np.zeros(100_000, np.float32), np.ones(100_000, np.float32)
    loss = fl.LogCosh()
    verb = {"out": loss, "grad_out": loss.grad, "hess_out": loss.grad_and_hess}[output]
    with pytest.raises(ValueError, match=rf"LogCosh: {output} has shape \(10,\), must be \(100000,\)"):
        verb(y, x, reduction="none", **{output: lying})
    assert (room == 7).all()


class Meddling:
    """An array that changes another one while it is asked for its own elements."""

    def __init__(self, array, meddle):
        self.array, self.meddle = array, meddle

    def __array__(self, dtype=None, copy=None):
        self.meddle()
        return self.array


@pytest.mark.parametrize("loss", [fl.LogCosh(), fl.CrossEntropy()], ids=repr)
def test_an_array_that_changes_its_size_during_the_call_is_refused(loss):
    rows = isinstance(loss, fl.CrossEntropy)
    y, x = np.zeros(1000), np.ones((1000, 3) if rows else 1000)
    weight = Meddling(np.ones(1000), lambda: y.resize(10, refcheck=False))
    with pytest.raises(ValueError, match="one of them changed during the call"):
        loss(y, x, sample_weight=weight)


def test_logits_that_change_during_the_call_do_no_harm():
    """Labels, the largest logit and its place are all read while another thread writes."""
    logits = np.zeros((64, 5000), np.float32)
    labels = np.zeros(64, np.int64)
    stop = threading.Event()

    def write():
        rng = np.random.default_rng(0)
        while not stop.is_set():
            logits[:] = rng.normal(size=5000)
            labels[:] = rng.choice([-(2**62), 3, 2**62])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(300):
            try:
                found = fl.CrossEntropy().rows(labels, logits)
            except IndexError:
                continue
            assert ((found.argmax >= 0) & (found.argmax < 5000)).all()
    finally:
        stop.set()
        thread.join()


def strided(shape, strides):
    return np.lib.stride_tricks.as_strided(np.zeros(1000, np.float32), shape, strides)


@pytest.mark.parametrize(
    ("shape", "strides"), [((10, 10), (4, 4)), ((10, 10), (8, 4)), ((3, 2), (4, 8)), ((10,), (2,)), ((10,), (0,))]
)
def test_an_output_that_overlaps_itself_is_refused(shape, strides):
    out = strided(shape, strides)
    with pytest.raises(ValueError, match="LogCosh: grad_out overlaps itself, must have a place for each element"):
        fl.LogCosh().grad(np.zeros(shape), np.ones(shape), grad_out=out)
    assert not out.any()


@pytest.mark.parametrize(
    "view",
    [np.s_[::-1, ::2], np.s_[1:, :0], np.s_[:1, 3:], np.s_[::7, ::-3], np.s_[..., np.newaxis, 2:4], np.s_[4, 4]],
    ids=str,
)
def test_views_of_an_array_do_not_overlap_themselves(view):
    base = np.zeros((20, 30), np.float32)
    for out in (base[view], base[view].T, np.broadcast_to(base, (1, 20, 30))[0][view]):
        assert not _arrays._may_overlap_itself(out)
    assert not _arrays._may_overlap_itself(np.lib.stride_tricks.as_strided(base, (20,), (124,)))


def test_an_overlap_that_is_hard_to_find_is_refused_at_once():
    """A subset sum of strides, exponential in the axes for an exact answer: a minute, or for ever."""
    room = np.zeros(10**7, np.float32)
    lengths = (2,) * 20
    steps = [4 * int(step) for step in np.cumsum(np.random.default_rng(1).integers(1, 900, 20)) * 7]
    x = np.lib.stride_tricks.as_strided(room, lengths, steps)
    out = room[1 : 2**21 : 2].reshape(lengths)
    with pytest.raises(ValueError, match="grad_out overlaps y_pred"):
        fl.LogCosh().grad(np.zeros(lengths, np.float32), x, grad_out=out)


def test_scratch_memory_that_cannot_be_had_is_a_memory_error():
    row = np.broadcast_to(np.float32(1), (1, 2**60))
    with pytest.raises(MemoryError):
        fl.ListMLE()(row, row)
    assert fl.ListMLE()([[1.0, 2.0]], [[1.0, 1.0]]) == pytest.approx(math.log(2))


@linux
def test_outputs_are_untouched_where_memory_runs_out():
    fresh("""
import resource
import numpy as np
import fastloss as fl
y, x = np.random.default_rng(0).normal(size=(2, 20, 200_000))
grad = np.full_like(x, 7)
fl.ListMLE()([[1.0, 2.0]], [[1.0, 1.0]])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**22, used + 2**22))
try:
    fl.ListMLE().grad(y, x, grad_out=grad, num_threads=1)
except MemoryError:
    assert (grad == 7).all()
else:
    raise SystemExit("there was memory enough")
""")


GUARDED = """
import ctypes, mmap, itertools
import numpy as np
import fastloss as fl
from fastloss._core.multi_input import MultiInputLoss
from tests.inputs import draw_arrays, draw_rows

libc = ctypes.CDLL(None, use_errno=True)
PAGE = mmap.PAGESIZE

class Room:
    \"\"\"Pages between two that may not be touched.\"\"\"

    def __init__(self, pages):
        self.map = mmap.mmap(-1, (pages + 2) * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.low, self.high = start + PAGE, start + (pages + 1) * PAGE
        for page in (start, self.high):
            assert libc.mprotect(ctypes.c_void_p(page), PAGE, 0) == 0

    def holding(self, array, at_the_end):
        at = self.high - array.nbytes if at_the_end else self.low
        raw = (ctypes.c_char * max(1, array.nbytes)).from_address(at)
        placed = np.frombuffer(raw, array.dtype, array.size).reshape(array.shape)
        placed[...] = array
        return placed

rooms = [Room(80) for _ in range(9)]
rng = np.random.default_rng(0)

def check(loss, weight, *arrays):
    arrays = [np.ascontiguousarray(array) for array in arrays]
    grads = [a for argument, a in zip(loss.signature.arguments, arrays) if argument in loss.signature.predictions]
    for at_the_end in (True, False):
        w, *placed = (room.holding(a, at_the_end) for room, a in zip(rooms, (weight, *arrays, *grads)))
        given, out = placed[:len(arrays)], placed[len(arrays):]
        out = out if len(out) > 1 else out[0]
        loss.value_and_grad(*given, sample_weight=w if w.ndim else None, grad_out=out)

for cls in fl.registry.values():
    loss = cls()
    for dtype in (np.float16, np.float32, np.float64):
        if not loss.signature.rowwise:
            for n in (1, 2, 63, 511, 513, 1025):
                arrays = draw_arrays(loss, n, dtype, rng)
                several, additive = isinstance(loss, MultiInputLoss), loss.signature.additive
                call = loss._evaluated(arrays, {}) if several else loss._evaluation(loss, *arrays)
                check(loss, np.ones(call.shape[:1] if additive else (), dtype), *arrays)
            continue
        for rows, classes in itertools.product((1, 63, 64, 65, 66, 129), (1, 2, 3, 5, 63, 65, 161)):
            for dense, taken in ((False, loss.signature.labels), (True, loss.signature.dense)):
                if taken:
                    y, x = draw_rows(loss, rows, classes, dtype, rng, dense=dense)
                    check(loss, np.ones(rows, dtype), y, x)
"""


@linux
def test_nothing_is_read_or_written_beside_an_array():
    fresh(GUARDED, timeout=300)


# Labels ---------------------------------------------------------------------------------------------

IGNORED = [-(2**63), -(2**53) - 1, -100, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 100, 2**64 - 1]
TYPES = ["i1", "i4", "i8", ">i8", "u1", "u4", "u8", ">u8", "f2", "f4", "f8"]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("ignored", IGNORED)
def test_an_ignored_label_is_compared_exactly(kind, ignored):
    """Of 64 bits too, whose neighbours float64 does not tell apart."""
    logits = np.array([[0.0, 1.0], [3.0, 1.0], [0.5, 0.0]])
    loss = fl.CrossEntropy(ignore_index=ignored)
    exact = np.dtype(kind).kind == "f" or np.iinfo(kind).min <= ignored <= np.iinfo(kind).max
    assert loss(np.zeros(3, kind), logits) == fl.cross_entropy([0, 0, 0], logits)
    with np.errstate(over="ignore"):
        label = np.array(ignored if exact else 0).astype(kind)
    if exact and int(label) == ignored if np.isfinite(label) else False:
        labels = np.array([0, label, 1]).astype(kind) if np.dtype(kind).kind == "f" else np.zeros(3, kind)
        labels[1:] = [label, 1]
        assert loss(labels, logits) == fl.cross_entropy([0, 1], logits[[0, 2]])
    if np.dtype(kind).kind in "iu" and np.dtype(kind).itemsize == 8:
        for other in (ignored - 1, ignored + 1):
            if np.iinfo(kind).min <= other <= np.iinfo(kind).max:
                labels = np.zeros(3, kind)
                labels[1] = other
                with pytest.raises(IndexError, match=rf"y_true\[1\] is {other}, must be a class from 0 to 1"):
                    loss(labels, logits)


def test_an_ignored_label_fits_64_bits():
    with pytest.raises(ValueError, match="CrossEntropy: ignore_index is an integer of 1329 bits, must be one of at"):
        fl.CrossEntropy(ignore_index=10**400)


def test_labels_of_a_shard_are_compared_exactly():
    logits = np.zeros((2, 3))
    labels = np.array([0, 2**64 - 100], np.uint64)
    with pytest.raises(IndexError, match=rf"ShardState: y_true\[1\] is {2**64 - 100}, must be a class"):
        fl.ShardState.of(fl.CrossEntropy(), labels, logits, first_class=0)


@pytest.mark.parametrize("field", ["highest", "total", "target", "found"])
@pytest.mark.parametrize("change", [lambda a: a.astype(np.float32), lambda a: a[:1], lambda a: a.tolist()])
def test_a_state_of_a_shard_holds_arrays_of_its_rows(field, change):
    state = fl.ShardState.of(fl.CrossEntropy(), [0, 1], np.zeros((2, 3)), first_class=0)
    with pytest.raises(TypeError, match=rf"ShardState: {field} is .*, must be an array of .* shape \(2,\)"):
        replace(state, **{field: change(getattr(state, field))})


# Rounding -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["f2", "bfloat16"])
def test_results_are_rounded_once(kind):
    """From float64 to 16 bits: a first rounding to 32 could make a tie, and the second go the wrong way."""
    import ml_dtypes

    dtype = np.dtype(ml_dtypes.bfloat16 if kind == "bfloat16" else kind)
    bits = np.arange(0, 0x7F80 if kind == "bfloat16" else 0x7C00, dtype=np.uint16)
    below = bits.view(dtype).astype(np.float64)
    above = np.append(below[1:], 2 * below[-1] - below[-2])
    middle = (below + above) / 2
    even = np.where(bits % 2, above, below)
    x = np.concatenate([middle, np.nextafter(middle, np.inf), np.nextafter(middle, 0)])
    wanted = np.concatenate([even, above, below])
    out = np.empty(x.shape, dtype)
    fl.AbsoluteError()(np.zeros(x.shape), x, reduction="none", out=out)
    with np.errstate(over="ignore"):
        finite = wanted <= below[-1]
    np.testing.assert_array_equal(out[finite].astype(np.float64), wanted[finite])
    assert np.isinf(out[~finite].astype(np.float64)).all()


def test_bfloat16_of_the_other_byte_order_is_read_as_it_is():
    import ml_dtypes

    x = np.array([0.0, 1.0, -2.5], ml_dtypes.bfloat16)
    other = x.view("u2").byteswap().view(x.dtype.newbyteorder("S"))
    zeros = np.zeros(3)
    assert fl.SquaredError()(zeros, other, reduction="none").tolist() == [0.0, 1.0, 6.25]
    assert fl.SquaredError()(other, zeros, reduction="none").tolist() == [0.0, 1.0, 6.25]
    grad = np.zeros(3, other.dtype)
    fl.SquaredError().grad(zeros, x, reduction="sum", grad_out=grad)
    assert (grad.view("u2").byteswap().view(x.dtype) == 2 * x).all()
    with pytest.raises(ValueError, match=r"y_pred\[2\] is -2.5, must be greater than -1"):
        fl.SquaredLogError()(zeros, other)
