"""Scores of language models: of tokens, of sequences, and their perplexities."""

import itertools
import math
import tracemalloc

import ml_dtypes
import numpy as np
import pytest

import fastloss as fl
from tests.support import generator

DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def drawn(shape, vocabulary, dtype, rng, ignored=0.2):
    logits = (3 * rng.standard_normal((*shape, vocabulary))).astype(dtype)
    targets = rng.integers(0, vocabulary, shape)
    greedy = rng.random(shape) < 0.3
    targets[greedy] = np.argmax(logits, axis=-1)[greedy]
    targets[rng.random(shape) < ignored] = -100
    return logits, targets


def expected(logits, targets, temperature=1, softcap=0):
    z = logits.astype(np.float64)
    z = (softcap * np.tanh(z / softcap) if softcap else z) / temperature
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    counted = targets >= 0
    logprob = np.take_along_axis(log_p, np.maximum(targets, 0)[..., None], axis=-1)[..., 0]
    entropy = -(np.exp(log_p) * log_p).sum(axis=-1)
    greedy = np.argmax(logits, axis=-1) == targets
    return np.where(counted, logprob, 0), greedy & counted, np.where(counted, entropy, 0)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("shape", [(70,), (3, 5), (2, 3, 4), ()], ids=str)
@pytest.mark.parametrize("vocabulary", [1, 9, 64, 200, 1500])
def test_scores_of_tokens(dtype, shape, vocabulary):
    logits, targets = drawn(shape, vocabulary, dtype, generator(shape, vocabulary))
    scores = fl.token_logprobs(logits, targets)
    wide = dtype == np.float64
    for found, wanted in zip(scores, expected(logits, targets), strict=True):
        assert np.shape(found) == shape
        if found.dtype == bool:
            np.testing.assert_array_equal(found, wanted)
        else:
            assert found.dtype == (np.float64 if wide else np.float32)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13 if wide else 1e-5)


@pytest.mark.parametrize("options", [{"temperature": 0.7}, {"softcap": 2.0}, {"temperature": 3.0, "softcap": 5.0}])
def test_scores_under_temperature_and_softcap(options):
    logits, targets = drawn((6, 11), 40, np.float64, generator("options"))
    for found, wanted in zip(fl.token_logprobs(logits, targets, **options),
                             expected(logits, targets, **options), strict=True):  # fmt: skip
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("vocabulary", [5, 64, 1000])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
def test_of_several_largest_logits_the_first_is_greedy(vocabulary, layout):
    rng = generator(vocabulary)
    logits = layout(rng.integers(0, 3, (300, vocabulary)).astype(np.float32))
    targets = rng.integers(0, vocabulary, 300)
    targets[::2] = logits.argmax(axis=1)[::2]
    np.testing.assert_array_equal(fl.token_logprobs(logits, targets).greedy, logits.argmax(axis=1) == targets)


def test_ignored_tokens_score_0_whatever_their_logits():
    logits = np.full((3, 4), np.nan)
    for ignored in (-100, 2**62, 3):
        scores = fl.token_logprobs(logits, [ignored] * 3, ignore_index=ignored)
        assert [list(field) for field in scores] == [[0, 0, 0], [False] * 3, [0, 0, 0]]
        assert not np.signbit(scores.logprob).any()


def test_a_certain_token_keeps_its_relative_accuracy():
    logprob, greedy, entropy = fl.token_logprobs(np.array([[80.0, 0, 0], [0, 80.0, 0]]), [0, 0])
    np.testing.assert_allclose(logprob, [-2 * math.exp(-80), -80], rtol=1e-14)
    np.testing.assert_allclose(entropy, 2 * 81 * math.exp(-80), rtol=1e-2)
    assert list(greedy) == [True, False]


def test_impossible_tokens():
    inf = np.inf
    scores = fl.token_logprobs([[0, -inf, 0], [0, -inf, -inf], [-inf, -inf, -inf]], [1, 0, 0])
    np.testing.assert_allclose(scores.logprob, [-inf, 0, np.nan])
    np.testing.assert_allclose(scores.entropy, [math.log(2), 0, np.nan])
    assert list(scores.greedy) == [False, True, True]


def test_errors_name_the_function_and_the_argument():
    logits = np.zeros((2, 3, 5))
    with pytest.raises(IndexError, match=r"token_logprobs: targets\[1, 2\] is 5, must be a class from 0 to 4"):
        fl.token_logprobs(logits, [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(ValueError, match=r"token_logprobs: targets has shape \(3,\), must have logits's \(2, 3\)"):
        fl.token_logprobs(logits, [0, 1, 2])
    with pytest.raises(TypeError, match=r"token_logprobs: logits has dtype complex128"):
        fl.token_logprobs(logits.astype(complex), np.zeros((2, 3), int))


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16], ids=["float32", "bfloat16"])
def test_memory_is_that_of_the_tokens(dtype):
    logits = np.zeros((64, 20_000), dtype)
    targets = np.zeros(64, int)
    fl.token_logprobs(logits, targets)
    tracemalloc.start()
    fl.token_logprobs(logits, targets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000


def test_the_same_bits_for_any_number_of_threads():
    logits, targets = drawn((500,), 300, np.float32, generator("threads"))
    one, two = (fl.token_logprobs(logits, targets, num_threads=k) for k in (1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


# Sequences ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int8, np.float32, np.float64, bool, ml_dtypes.bfloat16])
def test_segment_sum(dtype):
    rng = generator(str(dtype))
    values = (5 * rng.standard_normal(100)).astype(dtype)
    offsets = np.sort(rng.integers(0, 100, 41))
    offsets[10:13] = offsets[10]  # some of nothing
    for some in (offsets, np.append(offsets, 100), offsets.astype(np.uint8), [7], [100, 100], [0, 0, 100]):
        wanted = [values[a:b].astype(np.float64).sum() for a, b in itertools.pairwise(some)]
        found = fl.segment_sum(values, some)
        np.testing.assert_allclose(found, np.array(wanted), rtol=1e-14, atol=1e-13)
        assert (found.dtype, found.shape) == (np.float64, (len(some) - 1,))
    np.testing.assert_array_equal(
        fl.segment_sum(values.reshape(4, 25)[:, ::-1], [0, 50]), fl.segment_sum(values.reshape(4, 25), [0, 50])
    )


def test_segment_sum_is_computed_in_float64():
    values = np.full(1 << 20, 0.1, np.float32)
    np.testing.assert_allclose(fl.segment_sum(values, [0, values.size]), values.astype(np.float64).sum(), rtol=1e-12)


@pytest.mark.parametrize(
    "offsets, error, message",
    [
        ([0, 2, 1], ValueError, r"offsets\[2\] is 1, must be at least the one before"),
        ([-1, 2], ValueError, r"offsets\[0\] is -1, must be from 0 to the 4 values"),
        ([0, 5], ValueError, r"offsets\[1\] is 5, must be from 0 to the 4 values"),
        ([], TypeError, "offsets has dtype float64, must be of integers"),
        ([[0, 1]], ValueError, r"offsets has shape \(1, 2\), must have one axis"),
        (np.array([], int), ValueError, r"offsets has shape \(0,\), must have one axis of at least one number"),
    ],
)
def test_offsets_are_checked(offsets, error, message):
    with pytest.raises(error, match=f"segment_sum: {message}"):
        fl.segment_sum([1, 2, 3, 4], offsets)


def test_scores_of_sequences():
    logits, targets = drawn((6, 20), 30, np.float64, generator("sequences"))
    targets[2] = np.where(targets[2] >= 0, logits[2].argmax(axis=-1), -100)
    targets[4] = -100
    logprob, greedy, _ = expected(logits, targets)
    scores = fl.sequence_logprobs(logits, targets)
    np.testing.assert_allclose(scores.logprob, logprob.sum(axis=1), rtol=1e-13)
    np.testing.assert_array_equal(scores.tokens, (targets >= 0).sum(axis=1))
    np.testing.assert_array_equal(scores.greedy, (greedy | (targets < 0)).all(axis=1))
    assert list(np.flatnonzero(scores.greedy)) == [2, 4]

    ragged = fl.sequence_logprobs(logits.reshape(120, 30), targets.ravel(), offsets=np.arange(0, 121, 20))
    for a, b in zip(scores, ragged, strict=True):
        np.testing.assert_array_equal(a, b)


def test_sequences_of_any_leading_shape():
    logits, targets = drawn((2, 3, 4), 5, np.float32, generator("leading"))
    assert fl.sequence_logprobs(logits, targets).logprob.shape == (2, 3)
    assert fl.sequence_logprobs(logits[0, 0], targets[0, 0]).logprob.shape == ()
    with pytest.raises(ValueError, match=r"sequence_logprobs: targets has shape \(\), must have an axis of tokens"):
        fl.sequence_logprobs([1.0, 2.0], 0)


def test_perplexities_of_tokens_and_of_sequences_differ():
    scores = fl.SequenceScores(np.log([1 / 8, 1 / 2, 1]), np.array([3, 1, 0]), np.zeros(3, bool))
    np.testing.assert_allclose(scores.perplexity, [2, 2, np.nan])
    assert scores.token_perplexity == pytest.approx(2)
    assert scores.sequence_perplexity == pytest.approx(2)
    scores = fl.SequenceScores(np.log([1 / 64, 1 / 8]), np.array([2, 1]), np.zeros(2, bool))
    assert scores.token_perplexity == pytest.approx(8)
    scores = fl.SequenceScores(np.log([1 / 64, 1 / 2]), np.array([3, 1]), np.zeros(2, bool))
    assert scores.sequence_perplexity == pytest.approx(3)
    assert scores.token_perplexity == pytest.approx(128**0.25)
    none = fl.SequenceScores(np.zeros(2), np.zeros(2, int), np.ones(2, bool))
    assert math.isnan(none.token_perplexity)
    assert math.isnan(none.sequence_perplexity)
    assert fl.SequenceScores(np.array([-1e6]), np.array([1]), np.zeros(1, bool)).token_perplexity == np.inf


def test_as_pytorch_has_it():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    logits, targets = drawn((4, 7), 50, np.float32, generator("torch"))
    for dtype in (torch.float32, torch.bfloat16):
        x, y = torch.tensor(logits).to(dtype), torch.tensor(targets)
        log_p = torch.log_softmax(x.double(), dim=-1)
        wanted = torch.where(y >= 0, log_p.gather(-1, y.clamp(min=0)[..., None])[..., 0], 0)
        scores = fl.token_logprobs(x, y)
        np.testing.assert_allclose(scores.logprob, wanted.numpy(), rtol=1e-5, atol=1e-6)
        entropy = torch.distributions.Categorical(logits=x.double()).entropy() * (y >= 0)
        np.testing.assert_allclose(scores.entropy, entropy.numpy(), rtol=1e-5, atol=1e-6)
