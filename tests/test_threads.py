"""The same bits for any number of threads, after a fork, in any floating-point mode; threads no more than allowed."""

import ctypes
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple

import numpy as np
import pytest
import threadpoolctl

import fastloss as fl
from fastloss._core import threads as _threads
from tests.inputs import draw, draw_rows
from tests.support import (
    AGGREGATES,
    DEFAULTS,
    DRAWN,
    ELEMENTWISE,
    additive,
    assert_same_bits,
    elements,
    expected,
    fresh,
    generator,
    reductions,
)

BLOCK, CHUNKS = _threads.BLOCK, 4096
ONE = additive(DEFAULTS)[0]
linux = pytest.mark.skipif(sys.platform != "linux", reason="as Linux has it")


def results(loss, y, x, **options):
    """Everything that a sum or a store could make depend on the threads."""
    found = {}
    for reduction in reductions(loss):
        found[reduction], found[f"{reduction} gradient"] = loss.value_and_grad(y, x, reduction=reduction, **options)
    if len(reductions(loss)) > 1:
        found["state"] = np.array(astuple(loss.state(y, x, **options)))
    return found


def assert_same_results(actual, wanted):
    for name, result in actual.items():
        assert_same_bits(result, wanted[name], name)


# Bits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", (ELEMENTWISE | AGGREGATES).values(), ids=ELEMENTWISE | AGGREGATES)
def test_the_number_of_threads_leaves_no_trace(loss):
    rng = generator(loss)
    for dtype in (np.float32, np.float64):
        y, x = draw(loss, 21 * BLOCK + 5, dtype, rng)
        weight = rng.random(elements(loss, y, x))
        for options in ({}, {"sample_weight": weight, "mask": weight < 0.9}):
            wanted = results(loss, y, x, num_threads=1, **options)
            for threads in (2, 3):
                assert_same_results(results(loss, y, x, num_threads=threads, **options), wanted)


@pytest.mark.parametrize("n", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 9 * BLOCK, 100 * BLOCK + 7])
def test_the_number_of_threads_leaves_no_trace_at_any_length(n):
    y, x = draw(ONE, n, np.float64, generator(n))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        wanted = results(ONE, y, x, num_threads=1)
        for threads in (2, 3, 8, None):
            assert_same_results(results(ONE, y, x, num_threads=threads), wanted)


def test_blocks_in_groups_leave_no_trace():
    n = 2 * BLOCK * CHUNKS + 3 * BLOCK + 11  # chunks of three blocks
    rng = generator("large")
    y, x = draw(ONE, n, np.float32, rng)
    weight = rng.random(n, np.float32)
    wanted = results(ONE, y, x, sample_weight=weight, num_threads=1)
    for threads in (2, 3, 8):
        assert_same_results(results(ONE, y, x, sample_weight=weight, num_threads=threads), wanted)
    values = ONE(y, x, reduction="none").astype(np.float64)
    assert ONE(y, x, reduction="sum") == pytest.approx(math.fsum(values), rel=1e-14)
    part = slice(n - 5000, n)
    assert_same_bits(ONE(y[part], x[part], reduction="none"), values[part].astype(np.float32))


def test_large_outputs_past_the_caches_are_the_same(wide):
    n = (1 << 23) // np.dtype(wide).itemsize + 777
    y, x = draw(ONE, n, wide, generator("stream"))
    values, gradient = ONE.value_and_grad(y, x, reduction="none")
    half = n // 2
    for part in (slice(0, half), slice(half, n)):
        one, other = ONE.value_and_grad(y[part], x[part], reduction="none")
        assert_same_bits(values[part], one)
        assert_same_bits(gradient[part], other)
    for offset in (1, 4, 32, 60):
        raw = np.empty(n * wide.itemsize + offset, np.uint8)
        out = raw[offset:].view(wide)
        assert_same_bits(ONE.grad(y, x, reduction="none", grad_out=out), gradient)


@pytest.mark.slow
def test_more_elements_than_a_32_bit_integer_counts():
    n = 2**31 + 17
    y, x = (np.broadcast_to(np.float32(v), (n,)) for v in (0, 1))
    assert fl.AbsoluteError()(y, x, reduction="sum") == n
    assert fl.AbsoluteError().state(y, x).count == n


# Floating-point modes -----------------------------------------------------------------------------

FENV = ctypes.CDLL(None) if sys.platform != "win32" else None
ROUNDING = {"to nearest": 0x0, "down": 0x400, "up": 0x800, "to zero": 0xC00}  # as <fenv.h> has it on x86


@linux
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of the modes differ")
@pytest.mark.parametrize("loss", list({type(loss): loss for loss in reversed(DRAWN)}.values()), ids=repr)
def test_the_rounding_mode_of_the_caller_leaves_no_trace(loss):
    if loss.signature.rowwise:
        y, x = draw_rows(loss, 3000, 7, np.float32, generator(loss), dense=not loss.signature.labels)
        weight = generator("modes").random(3000)
    else:
        y, x = draw(loss, 20_000, np.float32, generator(loss))
        weight = generator("modes").random(elements(loss, y, x))

    def computed():
        found = []
        for threads in (1, 2):
            options = {"sample_weight": weight, "num_threads": threads}
            for reduction in reductions(loss):
                found += loss.value_and_grad(y, x, reduction=reduction, **options)
            found += [loss(y, x, **options), loss.state(y, x, **options).mean]
        return found

    wanted = computed()
    for mode in ROUNDING.values():
        assert FENV.fesetround(mode) == 0
        try:
            found = computed()
            kept = FENV.fegetround()
        finally:
            FENV.fesetround(0)
        assert kept == mode
        for one, other in zip(found, wanted, strict=True):
            assert_same_bits(one, other)


FLUSHED = """
import ctypes, mmap, sys
import numpy as np
import fastloss as fl

def machine(code):  # a function of these instructions
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex(code) + b"\\xc3")
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    function.page = page
    return function
load, save = machine("0fae17"), machine("0fae1f")  # ldmxcsr [rdi], stmxcsr [rdi]
def get():
    word = ctypes.c_uint32()
    save(ctypes.byref(word))
    return word.value
def put(value):
    load(ctypes.byref(ctypes.c_uint32(value)))

rng = np.random.default_rng(0)
y = np.zeros(200_000)
x = rng.normal(size=y.size) * 2.0 ** rng.integers(-1074, -1000, y.size)
def digest():
    bits = [fl.AbsoluteError()(y, x, reduction="none").tobytes(), fl.AbsoluteError()(y, x, reduction="sum"),
            fl.Huber().grad(y, x, reduction="sum").tobytes()]
    return hash(tuple(bits))
if {warm}:
    digest()
default = get()
put(default | 0x8040)  # flush to zero, denormals are zero
flushed, mode = digest(), get()
put(default)
assert mode & ~0x3f == (default | 0x8040) & ~0x3f, hex(mode)
assert flushed == digest(), "flushing subnormals changed the bits"
"""


@linux
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="machine code of x86-64")
@pytest.mark.parametrize("warm", [False, True])
def test_flushing_of_subnormals_in_the_caller_leaves_no_trace(warm):
    try:
        fresh(FLUSHED.format(warm=warm), OMP_NUM_THREADS="2", PYTHONHASHSEED="0")
    except AssertionError as error:
        if "PROT_EXEC" in str(error) or "PermissionError" in str(error):
            pytest.skip("no executable memory")
        raise


def test_a_call_raises_no_floating_point_flag():
    with np.errstate(all="raise"):
        np.add(1.0, 1.0)
        fl.SquaredError()([0.0], [1e300], reduction="none")
        assert fl.SquaredError()([0.0], [1e300], reduction="sum") == math.inf
        np.add(1.0, 1.0)


# Forks --------------------------------------------------------------------------------------------


def large():
    return draw(ONE, 300_000, np.float64, generator("fork"))


def digest(_=None):
    y, x = large()
    value, gradient = ONE.value_and_grad(y, x, num_threads=2)
    return value, ONE(y, x), gradient.tobytes()


pytestmark = pytest.mark.filterwarnings("ignore:.*fork")


@linux
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pool_workers_of_a_warm_parent_end_with_the_same_bits(method):
    if method != "fork":  # a new interpreter imports the tests by their package's name
        code = (
            "import sys, multiprocessing\nfrom tests.test_threads import digest\n"
            f"if __name__ == '__main__':\n    pool = multiprocessing.get_context({method!r}).Pool(2)\n"
            "    assert len({digest(), *pool.map(digest, range(4))}) == 1\n    pool.close(); pool.join()\n"
        )
        fresh(code, timeout=60)
        return
    wanted = digest()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(digest, range(4)).get(timeout=30) == [wanted] * 4
    assert digest() == wanted


def _in_child(work, seconds=20):
    """Exit status of a forked child that does the work; the alarm kills it if it hangs."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        try:
            os._exit(0 if work() else 3)
        except BaseException:
            os._exit(4)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@linux
def test_children_and_grandchildren_of_a_warm_parent_end_with_the_same_bits():
    wanted = digest()

    def child():
        return digest() == wanted and _in_child(lambda: digest() == wanted) == 0 and digest() == wanted

    for _ in range(2):
        assert _in_child(child) == 0
    assert digest() == wanted


@linux
def test_a_child_forked_from_another_thread_or_during_a_call_ends():
    wanted, y, x = digest(), *large()
    codes, stop = [], threading.Event()

    def busy():
        while not stop.is_set():
            ONE(y, x, num_threads=2)

    def forking():
        codes.extend(_in_child(lambda: digest() == wanted) for _ in range(5))

    threads = [threading.Thread(target=busy), threading.Thread(target=forking)]
    for thread in threads:
        thread.start()
    threads[1].join(100)
    stop.set()
    threads[0].join(20)
    assert codes == [0] * 5


@linux
def test_a_child_computes_on_one_thread_and_says_why():
    fresh("""
import os
import numpy as np
import fastloss as fl
x = np.ones(10**6)
fl.mse(x, x, num_threads=2)
child = os.fork()
if child == 0:
    fl.mse(x, x, num_threads=2)
    alone = len(os.listdir("/proc/self/task")) == 1
    os._exit(0 if alone and fl.config()["threads"] == 1 and "fork" in fl.config()["threads_reason"] else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert "fork" not in fl.config()["threads_reason"]
""")


# How many -----------------------------------------------------------------------------------------


@pytest.fixture
def alone(monkeypatch):
    """As if no quota and eight processors limited this process, so that one limit is seen at a time."""
    monkeypatch.setattr(_threads, "_current_quota", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    with threadpoolctl.threadpool_limits(8, user_api="openmp"):
        yield


MUCH = 10**9


def test_threadpoolctl_limits_the_threads(alone):
    assert _threads.available()[0] == 8
    for limit in (1, 2, 5):
        with threadpoolctl.threadpool_limits(limit, user_api="openmp"):
            assert _threads.threads_for(None, MUCH) == limit
            assert _threads.available() == (limit, _threads.available()[1])
            assert _threads.available()[1].startswith("OpenMP")
    assert _threads.threads_for(None, MUCH) == 8


def test_the_affinity_limits_the_threads(alone, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 7})
    assert _threads.available() == (2, "the processors this process may run on")


@pytest.mark.parametrize(("quota", "threads"), [(0.2, 1), (1.0, 1), (1.5, 2), (2.0, 2), (7.01, 8), (64, 8)])
def test_the_quota_limits_the_threads_and_is_rounded_up(alone, monkeypatch, quota, threads):
    monkeypatch.setattr(_threads, "_current_quota", lambda: quota)
    assert _threads.threads_for(None, MUCH) == threads


def test_a_library_that_calls_limits_the_threads_of_its_own(alone):
    before = _threads.available()
    assert before[0] == 8
    with _threads.at_most(1), ThreadPoolExecutor(1) as other:
        assert _threads.available() == (1, "the library that calls")
        with _threads.at_most(9):
            assert _threads.available() == before
        assert _threads.threads_for(None, MUCH) == 1
        assert other.submit(_threads.available).result()[1] != "the library that calls"
    assert _threads.available() == before


def test_little_work_takes_one_thread_and_what_is_asked_for_is_given(alone):
    assert _threads.threads_for(None, 0) == 1
    assert _threads.threads_for(None, 2 * _threads.GRAIN - 1) == 1
    assert _threads.threads_for(None, 3 * _threads.GRAIN) == 3
    assert _threads.threads_for(3, MUCH) == 3


def test_more_threads_than_blocks_are_not_started():
    assert _threads.threads_for(10**9, 0) == 1
    assert _threads.threads_for(10**9, 1) == 1
    assert _threads.threads_for(1000, 3 * BLOCK) == 3
    assert _threads.threads_for(2**80, 10**9) == -(-(10**9) // BLOCK)
    assert fl.AbsoluteError()([0.0], [1.0], num_threads=2**80) == 1.0


def test_more_threads_than_there_may_be_give_the_same_bits():
    fresh(f"""
import numpy as np
import fastloss as fl
y, x = np.random.default_rng(0).normal(size=(2, 1000 * {BLOCK}))
value, grad = fl.Huber().value_and_grad(y, x, num_threads=1)
for threads in (1000, 2**80):
    again, other = fl.Huber().value_and_grad(y, x, num_threads=threads)
    assert again == value
    assert np.array_equal(other, grad)
""")


@pytest.mark.parametrize("limit", ["1", "3"])
def test_omp_num_threads_limits_the_threads(limit):
    out = fresh(
        "import os; os.sched_getaffinity = lambda _: set(range(8))\n"
        "from fastloss._core import threads as _threads; _threads._current_quota = lambda: None\n"
        "print(_threads.threads_for(None, 10**9))",
        OMP_NUM_THREADS=limit,
    )
    assert out.strip() == limit


@linux
def test_as_many_threads_run_as_were_chosen():
    code = (
        "import os, sys, numpy as np, fastloss as fl\n"
        "def count(): return len(os.listdir('/proc/self/task'))\n"
        "before, x = count(), np.ones(10**6)\n"
        "fl.Huber()(x, x, num_threads=1); assert count() == before\n"
        "fl.Huber()(x, x, num_threads=3); assert count() == before + 2, count()\n"
        "fl.Huber()(x, x, num_threads=2)\n"
        "[fl.Huber().grad(x, x, num_threads=3) for _ in range(50)]; assert count() <= before + 2\n"
    )
    fresh(code)


# Control groups -----------------------------------------------------------------------------------


def quota_of(tmp_path, membership, files):
    (tmp_path / "root").mkdir(parents=True)
    (tmp_path / "membership").write_bytes(membership)
    for name, content in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return _threads.cgroup_quota(root=tmp_path / "root", membership=tmp_path / "membership")


V1 = b"12:memory:/a\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/a\n"
TREES = {
    "no groups": (b"", {}, None),
    "unlimited": (b"0::/a/b\n", {"a/b/cpu.max": b"max 100000\n", "cpu.max": b"max 100000\n"}, None),
    "own": (b"0::/a/b\n", {"a/b/cpu.max": b"150000 100000\n"}, 1.5),
    "parent": (b"0::/a/b\n", {"a/b/cpu.max": b"max 100000", "a/cpu.max": b"200000 100000"}, 2.0),
    "root": (b"0::/a/b\n", {"cpu.max": b"50000 100000"}, 0.5),
    "least of all": (b"0::/a/b\n", {"a/b/cpu.max": b"300000 100000", "a/cpu.max": b"100000 100000"}, 1.0),
    "namespace root": (b"0::/\n", {"cpu.max": b"250000 100000"}, 2.5),
    "another group": (b"0::/a\n", {"b/cpu.max": b"100000 100000"}, None),
    "above the root": (b"0::/../../x\n", {"cpu.max": b"100000 100000"}, 1.0),
    "v1": (V1, {"cpu,cpuacct/docker/abc/cpu.cfs_quota_us": b"150000\n",
                "cpu,cpuacct/docker/abc/cpu.cfs_period_us": b"100000\n"}, 1.5),
    "v1, named cpu": (V1, {"cpu/cpu.cfs_quota_us": b"400000", "cpu/cpu.cfs_period_us": b"100000"}, 4.0),
    "v1, unlimited": (V1, {"cpu,cpuacct/docker/cpu.cfs_quota_us": b"-1",
                           "cpu,cpuacct/docker/cpu.cfs_period_us": b"100000"}, None),
    "both versions": (V1 + b"0::/u\n", {"u/cpu.max": b"300000 100000", "cpu/cpu.cfs_quota_us": b"200000",
                                        "cpu/cpu.cfs_period_us": b"100000"}, 2.0),
    "a colon in the name": (b"0::/a:b\n", {"a:b/cpu.max": b"200000 100000"}, 2.0),
    "a name that is no text": (b"0::/\xff\xfe\n", {"cpu.max": b"200000 100000"}, 2.0),
}  # fmt: skip


@pytest.mark.parametrize("tree", TREES)
def test_quotas_of_all_ancestors_count(tmp_path, tree):
    membership, files, wanted = TREES[tree]
    assert quota_of(tmp_path, membership, files) == wanted


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"max", b"100000", b"1 2 3", b"a b", b"100000 0", b"-5 100000", b"0 100000", b"1.5 1",
                b"\xff\xfe", b"9" * 400 + b" 1", b"9" * 9999 + b" 1", b"nan 1", b"max max"]
)  # fmt: skip
def test_malformed_quotas_are_no_limit(tmp_path, content):
    good = {"a/cpu.max": b"300000 100000"}
    assert quota_of(tmp_path / "v2", b"0::/a/b\n", {"a/b/cpu.max": content, **good}) == 3.0
    files = {"cpu/x/cpu.cfs_quota_us": content, "cpu/x/cpu.cfs_period_us": b"100000"}
    wanted = 1.0 if content == b"100000" else None  # which is well formed here
    assert quota_of(tmp_path / "v1", b"1:cpu:/x\n", files) == wanted


@pytest.mark.parametrize("membership", [b"\xff", b"::::", b"0", b"0:", b"\0::\0\n", b"garbage\n0::/a\n", b"1:cpu\n"])
def test_malformed_memberships_are_no_limit(tmp_path, membership):
    wanted = 3.0 if membership.endswith(b"\n0::/a\n") else None  # after a line that is none
    assert quota_of(tmp_path, membership, {"a/cpu.max": b"300000 100000"}) == wanted


def test_missing_files_are_no_limit(tmp_path):
    assert _threads.cgroup_quota(root=tmp_path / "none", membership=tmp_path / "none") is None


# Python's threads and other packages --------------------------------------------------------------


def test_the_interpreter_runs_on_during_a_call():
    x = np.broadcast_to(np.float32(1), (200_000_000,))
    ticks, calling = [], threading.Event()

    def tick():
        while calling.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    calling.set()
    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    fl.Huber()(x, x, num_threads=1)
    stop = time.perf_counter()
    calling.clear()
    thread.join()
    during = sum(start < t < stop for t in ticks)
    assert during > 3, f"{during} ticks in {stop - start:.3f} s"


def test_concurrent_calls_are_right():
    cases = [draw(ONE, 40_000 + 1000 * k, np.float64, generator("concurrent", k)) for k in range(8)]
    wanted = [ONE.value_and_grad(y, x, num_threads=1) for y, x in cases]
    start, wrong = threading.Barrier(8), []

    def call(k):
        start.wait()
        for _ in range(20):
            value, gradient = ONE.value_and_grad(*cases[k])
            if value != wanted[k][0] or gradient.tobytes() != wanted[k][1].tobytes():
                wrong.append(k)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("other", ["torch", "sklearn.ensemble"])
@pytest.mark.parametrize("first", [True, False])
def test_other_packages_may_be_imported_before_or_after(other, first):
    pytest.importorskip(other.partition(".")[0])
    imports = ["import fastloss as fl", f"import {other}"]
    code = "\n".join(
        [
            "import warnings, numpy as np",
            *(imports if first else reversed(imports)),
            "x = np.arange(300_000.0)",
            "def other():",
            "    import sys",
            "    if 'torch' in sys.modules:",
            "        import torch; return float((torch.from_numpy(x) * 2).sum())",
            "    return float((np.ones((200, 200)) @ np.ones((200, 200)))[0, 0])",
            "for _ in range(20):",
            "    assert fl.AbsoluteError()(x, x + 1, num_threads=2) == 1.0",
            "    other()",
        ]
    )
    fresh(code)


def test_the_reference_is_met_in_every_thread(default_loss):
    y, x = draw(default_loss, 2000, np.float64, generator(default_loss))
    found = []
    thread = threading.Thread(target=lambda: found.append(default_loss(y, x, reduction="none")))
    thread.start()
    thread.join()
    np.testing.assert_allclose(found[0], expected(default_loss, y, x), rtol=1e-9, atol=1e-12)


@linux
def test_a_thread_that_cannot_be_started_is_done_without():
    """Where no further thread may be had, libgomp would end the process."""
    code = (
        "import resource, warnings, numpy as np, fastloss as fl\n"
        "y, x = np.zeros(10**6), np.ones(10**6)\n"
        "wanted = fl.mse(y, x, num_threads=1)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (resource.getrlimit(resource.RLIMIT_AS)[0],) * 2)\n"
        "with open('/proc/self/statm') as f: used = int(f.read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, used + 2**20))\n"
        "with warnings.catch_warnings(record=True) as told:\n"
        "    warnings.simplefilter('always')\n"
        "    assert {fl.mse(y, x, num_threads=8) for _ in range(3)} == {wanted}\n"
        "assert [str(w.message).split(' can ')[0] for w in told] == ['fastloss: only 1 of 8 threads'], told\n"
    )
    fresh(code, OPENBLAS_NUM_THREADS="1")
