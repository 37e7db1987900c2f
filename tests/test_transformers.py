"""Perplexities for the Trainer of transformers: by hand, and in its own evaluations."""

import json
import math
import os
import pickle
import subprocess
import sys
import tracemalloc
from dataclasses import dataclass
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest

import fastloss as fl
from fastloss.integrations.transformers import Perplexity
from tests.support import ROOT, generator

DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
IGNORED = -100


def drawn(rng, shape=(6, 9), vocabulary=40, dtype=np.float32):
    """Logits, and labels padded on the right: of one row everywhere, of another but for the first token."""
    logits = (2 * rng.standard_normal((*shape, vocabulary))).astype(dtype)
    labels = rng.integers(0, vocabulary, shape)
    greedy = np.roll(logits.astype(np.float64).argmax(axis=-1), 1, axis=-1)
    labels = np.where(rng.random(shape) < 0.4, greedy, labels)
    lengths = rng.integers(2, shape[-1] + 1, shape[:-1])
    lengths[:2] = 0, 1
    labels[np.arange(shape[-1]) >= lengths[..., None]] = IGNORED
    return logits, labels


def expected(batches, shift=True, token_bytes=None):
    """The metrics, token by token."""
    tokens, sequences, hits = [], [], []
    n_bytes = 0
    for logits, labels in batches:
        for row, targets in zip(logits.astype(np.float64), labels, strict=True):
            row, targets = (row[:-1], targets[1:]) if shift else (row, targets)
            losses = []
            for scores, token in zip(row, targets, strict=True):
                if token != IGNORED:
                    losses.append(np.log(np.exp(scores).sum()) - scores[token])
                    hits.append(scores.argmax() == token)
                    n_bytes += 0 if token_bytes is None else token_bytes[token]
            tokens += losses
            sequences += [math.exp(np.mean(losses))] if losses else []
    metrics = {"perplexity": math.exp(np.mean(tokens)), "sequence_perplexity": np.mean(sequences)}
    metrics["accuracy"] = np.mean(hits)
    return metrics if token_bytes is None else metrics | {"bits_per_byte": sum(tokens) / math.log(2) / n_bytes}


def prediction(logits, labels):
    return SimpleNamespace(predictions=logits, label_ids=labels)


# Batches --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("shift", [True, False])
def test_batches_add_up(dtype, shift):
    rng = generator("batches", shift)
    batches = [drawn(rng, shape, dtype=dtype) for shape in ((6, 9), (3, 4), (5, 9))]
    token_bytes = rng.integers(1, 8, 40).astype(np.uint8)
    metrics = Perplexity(shift=shift, token_bytes=token_bytes)
    for i, batch in enumerate(batches):
        found = metrics(prediction(*batch), compute_result=i == len(batches) - 1)
        wanted = expected(batches[: i + 1], shift, token_bytes)
        assert found == pytest.approx(wanted, rel=1e-12 if dtype == np.float64 else 1e-6)
    assert all(type(value) is float for value in found.values())
    assert 0.1 < found["accuracy"] < 0.9 or not shift


def test_an_evaluation_begins_after_the_result_of_another():
    rng = generator("anew")
    first, second = drawn(rng), drawn(rng)
    metrics = Perplexity()
    alone = metrics(prediction(*first))
    assert metrics.tokens.count == expected_count(first[1])
    assert metrics(prediction(*first)) == alone
    assert metrics(prediction(*second), compute_result=False) == Perplexity()(prediction(*second))
    metrics.reset()
    assert metrics(prediction(*first)) == alone


def expected_count(labels):
    return (labels[:, 1:] != IGNORED).sum()


def test_states_are_those_of_the_tokens():
    rng = generator("states")
    logits, labels = drawn(rng)
    metrics = Perplexity()
    metrics(prediction(logits, labels))
    state = fl.CrossEntropy().state(labels[:, 1:], logits[:, :-1])
    for name in ("count", "mean", "standard_error", "perplexity"):
        assert getattr(metrics.tokens, name) == pytest.approx(getattr(state, name), rel=1e-6)
    assert metrics.sequences.count == (labels[:, 1:] != IGNORED).any(axis=1).sum() == 4
    assert metrics.correct.count == state.count


@pytest.mark.parametrize("labels", [np.full((2, 5), IGNORED), np.zeros((2, 1), int), np.zeros((0, 5), int)])
def test_no_tokens_have_no_perplexity(labels):
    metrics = Perplexity(token_bytes=np.ones(7, int))
    found = metrics(prediction(np.zeros((*labels.shape, 7)), labels))
    assert list(found) == ["perplexity", "sequence_perplexity", "accuracy", "bits_per_byte"]
    assert all(map(math.isnan, found.values()))


def test_impossible_tokens_and_those_of_no_bytes():
    logits = np.array([[[0.0, -np.inf], [0.0, 0.0]]])
    metrics = Perplexity(shift=False, token_bytes=[0, 2])
    found = metrics(prediction(logits, np.array([[1, 0]])))
    assert found == {
        "perplexity": math.inf,
        "sequence_perplexity": math.inf,
        "accuracy": 0.5,
        "bits_per_byte": math.inf,
    }
    assert math.isnan(metrics(prediction(logits[:, 1:], np.array([[0]])))["bits_per_byte"])


def test_other_outputs_of_a_model_are_left_out():
    logits, labels = drawn(generator("outputs"))
    assert Perplexity()(prediction((logits, labels, None), labels)) == Perplexity()(prediction(logits, labels))


def test_lists_of_batches():
    rng = generator("lists")
    batches = [drawn(rng), drawn(rng, (3, 5))]
    found = Perplexity()(prediction(*map(list, zip(*batches, strict=True))))
    assert found == pytest.approx(expected(batches), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16], ids=["float32", "bfloat16"])
def test_memory_is_that_of_the_tokens_of_a_batch(dtype):
    batch = prediction(np.zeros((8, 16, 5000), dtype), np.zeros((8, 16), int))
    metrics = Perplexity()
    metrics(batch, compute_result=False)
    size = len(pickle.dumps(metrics))
    tracemalloc.start()
    for _ in range(20):
        metrics(batch, compute_result=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000  # of logits of 1.3 MB or more a batch
    assert abs(len(pickle.dumps(metrics)) - size) < 50


def test_a_copy_goes_on():
    rng = generator("pickle")
    batches = [drawn(rng), drawn(rng)]
    metrics = Perplexity(token_bytes=np.arange(40))
    metrics(prediction(*batches[0]), compute_result=False)
    copied = pickle.loads(pickle.dumps(metrics))
    assert copied(prediction(*batches[1])) == metrics(prediction(*batches[1]))
    assert repr(copied) == "Perplexity(shift=True, num_threads=None)"


@pytest.mark.parametrize(
    "logits, labels, error, message",
    [
        (
            (2, 3, 5),
            (2, 4),
            ValueError,
            r"logits has shape \(2, 3, 5\), must be that of labels, \(2, 4\), and a last axis of the vocabulary",
        ),
        ((2, 3), (2, 3), ValueError, r"logits has shape \(2, 3\)"),
        ((5,), (), ValueError, r"labels has shape \(\), must have an axis of tokens"),
    ],
)
def test_shapes_must_match(logits, labels, error, message):
    with pytest.raises(error, match=f"^Perplexity: {message}"):
        Perplexity()(prediction(np.zeros(logits), np.zeros(labels, int)))


def test_bad_tokens_and_bytes():
    logits, labels = np.zeros((1, 3, 5)), np.array([[0, 1, 5]])
    metrics = Perplexity(token_bytes=[1, 1])
    with pytest.raises(IndexError, match="is 5, must be a class from 0 to 4, or the ignored -100"):
        metrics(prediction(logits, labels))
    with pytest.raises(IndexError, match=r"^Perplexity: token_bytes has 2 numbers, must have one for token 3$"):
        metrics(prediction(logits, np.array([[4, 1, 3]])))
    assert metrics.tokens.count == 0
    for wrong in ([1.0, 2.0], [[1, 2]], 3):
        with pytest.raises(TypeError, match=r"^Perplexity: token_bytes has shape .* must be an integer for each token"):
            Perplexity(token_bytes=wrong)
    with pytest.raises(ValueError, match=r"^Perplexity: token_bytes\[1\] is -1, must not be negative$"):
        Perplexity(token_bytes=[1, -1])
    with pytest.raises(TypeError, match=r"^Perplexity: labels is a tuple"):
        metrics(prediction(logits, (labels, labels[:, :2])))


def test_a_failed_batch_adds_nothing():
    good, bad = drawn(generator("failed")), (np.zeros((1, 3, 5)), np.array([[0, 1, 5]]))
    metrics = Perplexity()
    found = metrics(prediction(*good))
    with pytest.raises(IndexError):
        metrics(prediction([good[0], bad[0]], [good[1], bad[1]]))
    assert metrics.tokens.perplexity == found["perplexity"]


# Tensors --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    found = pytest.importorskip("torch", reason="PyTorch is not installed: tensors are not scored")
    threads = found.get_num_threads()
    found.set_num_threads(1)  # the models are tiny
    yield found
    found.set_num_threads(threads)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_tensors_are_scored_where_they_lie(torch, dtype):
    logits, labels = map(torch.from_numpy, drawn(generator("tensors")))
    logits = logits.to(getattr(torch, dtype))
    found = Perplexity()(prediction(logits, labels))
    predicted, targets = logits[:, :-1].flatten(0, 1).double(), labels[:, 1:].flatten()
    wanted = torch.nn.functional.cross_entropy(predicted, targets).exp()
    assert found["perplexity"] == pytest.approx(float(wanted), rel=1e-12 if dtype == "float64" else 1e-6)
    assert found["accuracy"] == float((predicted.argmax(-1) == targets)[targets != IGNORED].double().mean())


@pytest.mark.parametrize("shift", [True, False])
def test_scores_stand_for_logits(torch, shift):
    logits, labels = map(torch.from_numpy, drawn(generator("scores")))
    metrics = Perplexity(shift=shift)
    scores = metrics.preprocess_logits_for_metrics(logits, labels)
    assert [(each.dtype, each.shape) for each in scores] == [
        (dtype, (6, 9 - shift)) for dtype in (torch.float32, torch.bool)
    ]
    assert metrics(prediction(scores, labels)) == metrics(prediction(logits, labels))
    assert all(map(torch.equal, scores, metrics.preprocess_logits_for_metrics((logits, None), labels)))
    assert metrics.preprocess_logits_for_metrics(logits, None) is logits


def test_tokens_of_a_tokenizer_of_bytes_have_the_bytes_of_the_text():
    pytest.importorskip("transformers", reason="transformers is not installed: no tokenizer is made")
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    text = "Größe, größer: 温度が高い 🙂; größer als die größte Größe"
    merged = Tokenizer(models.BPE())
    merged.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    merged.train_from_iterator([text], trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=merged)
    tokens = np.array(tokenizer(text)["input_ids"])
    token_bytes = np.array([len(token) for token in tokenizer.convert_ids_to_tokens(range(len(tokenizer)))])
    assert token_bytes.max() > 1
    found = Perplexity(shift=False, token_bytes=token_bytes)(prediction(np.zeros((len(tokens), 512)), tokens))
    assert found["bits_per_byte"] == pytest.approx(9 * len(tokens) / len(text.encode()))


# The Trainer ----------------------------------------------------------------------------------------


@dataclass
class Padding:
    """A collator: rows of a batch are padded to its longest."""

    torch: object

    def __call__(self, rows):
        pad = self.torch.nn.utils.rnn.pad_sequence
        values = {"input_ids": 0, "attention_mask": 0, "labels": IGNORED}
        return {
            name: pad([self.torch.tensor(row[name]) for row in rows], batch_first=True, padding_value=value)
            for name, value in values.items()
        }


VOCABULARY = 60


def texts(n=11):
    """Rows of 2 to 12 tokens, the first of which are a prompt that is not scored."""
    rng = generator("texts")
    rows = []
    for length in rng.integers(2, 13, n):
        tokens = rng.integers(1, VOCABULARY, length)
        labels = np.where(np.arange(length) < length // 4, IGNORED, tokens)
        rows.append({"input_ids": tokens, "attention_mask": np.ones(length, int), "labels": labels})
    return rows


def network(kind):
    import torch
    import transformers

    torch.manual_seed(0)
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    if kind == "gpt2":
        config = transformers.GPT2Config(vocab_size=VOCABULARY, n_positions=16, n_embd=32, n_layer=2, n_head=2, **ids)
        made = transformers.GPT2LMHeadModel(config)
    else:
        config = transformers.T5Config(
            vocab_size=VOCABULARY, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, decoder_start_token_id=0,
            **ids,
        )  # fmt: skip
        made = transformers.T5ForConditionalGeneration(config)
    made.get_output_embeddings().weight.data *= 5
    return made.eval()


@pytest.fixture(scope="module")
def transformers(torch):
    found = pytest.importorskip("transformers", reason="transformers is not installed: its Trainer is not tested")
    pytest.importorskip("accelerate", reason="accelerate is not installed: the Trainer is not tested")
    return found


@pytest.fixture
def trainer(transformers, torch, tmp_path):
    """Make a Trainer that evaluates the texts, four at a time."""

    def make(metrics, kind="gpt2", preprocess=False, **options):
        arguments = transformers.TrainingArguments(
            tmp_path, per_device_eval_batch_size=4, report_to=[], use_cpu=True, dataloader_pin_memory=False,
            disable_tqdm=True, **options,
        )  # fmt: skip
        return transformers.Trainer(
            network(kind), arguments, data_collator=Padding(torch), train_dataset=texts(), eval_dataset=texts(),
            compute_metrics=metrics,
            preprocess_logits_for_metrics=metrics.preprocess_logits_for_metrics if preprocess else None,
        )  # fmt: skip

    return make


def of_each_text(model, shift=True):
    """The metrics from the model's logits of each text alone."""
    import torch

    batches = []
    with torch.no_grad():
        for row in texts():
            given = {name: torch.tensor(row[name][None]) for name in row}
            batches.append((model(**given).logits.double().numpy(), row["labels"][None]))
    return {f"eval_{name}": value for name, value in expected(batches, shift).items()}


WAYS = {
    "batches": {"batch_eval_metrics": True},
    "scores of batches": {"batch_eval_metrics": True, "preprocess": True},
    "scores": {"preprocess": True},
    "scores in lists": {"preprocess": True, "eval_do_concat_batches": False},
    "logits": {},
    "logits in lists": {"eval_do_concat_batches": False, "eval_accumulation_steps": 2},
}


@pytest.mark.parametrize(
    "kind, way", [*(("gpt2", way) for way in WAYS), ("t5", "batches"), ("t5", "scores of batches")]
)
def test_the_trainer_reports_the_perplexity(trainer, kind, way):
    metrics = Perplexity(shift=kind == "gpt2")
    made = trainer(metrics, kind, **WAYS[way])
    wanted = of_each_text(made.model, metrics.shift)
    for _ in range(2):  # the second evaluation begins anew
        found = made.evaluate()
        assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)
    assert metrics.tokens.count == sum((row["labels"][metrics.shift :] != IGNORED).sum() for row in texts())


def test_the_perplexity_of_a_model_in_16_bits(trainer):
    metrics = Perplexity()
    made = trainer(metrics, batch_eval_metrics=True, bf16_full_eval=True)
    wanted = of_each_text(network("gpt2"))
    assert made.evaluate()["eval_perplexity"] == pytest.approx(wanted["eval_perplexity"], rel=0.05)
    assert next(made.model.parameters()).dtype.itemsize == 2


def test_the_best_model_is_that_of_the_least_perplexity(trainer):
    metrics = Perplexity(token_bytes=np.full(VOCABULARY, 2))
    made = trainer(
        metrics, preprocess=True, batch_eval_metrics=True, eval_strategy="epoch", save_strategy="epoch",
        num_train_epochs=2, learning_rate=1e-3, load_best_model_at_end=True, metric_for_best_model="perplexity",
        greater_is_better=False,
    )  # fmt: skip
    made.train()
    reported = [entry["eval_perplexity"] for entry in made.state.log_history if "eval_perplexity" in entry]
    assert reported[1] < reported[0]
    assert made.state.best_metric == reported[1]
    found = made.evaluate()
    assert found["eval_bits_per_byte"] == pytest.approx(math.log2(found["eval_perplexity"]) / 2)


@pytest.mark.slow
def test_processes_gather_batches(torch, transformers, tmp_path):
    program = tmp_path / "evaluate.py"
    program.write_text(PROGRAM.format(folder=str(tmp_path)))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", str(program)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = of_each_text(network("gpt2"))
    for process in range(2):
        for found in json.loads((tmp_path / f"{process}.json").read_text()):
            assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)


PROGRAM = """\
import json
from pathlib import Path

import torch
from transformers import Trainer, TrainingArguments

from fastloss.integrations.transformers import Perplexity
from tests.test_transformers import Padding, network, texts

folder, found = Path({folder!r}), []
for preprocess in (False, True):
    metrics = Perplexity()
    arguments = TrainingArguments(
        folder, per_device_eval_batch_size=2, report_to=[], use_cpu=True, dataloader_pin_memory=False,
        disable_tqdm=True, batch_eval_metrics=True,
    )
    made = Trainer(
        network("gpt2"), arguments, data_collator=Padding(torch), eval_dataset=texts(), compute_metrics=metrics,
        preprocess_logits_for_metrics=metrics.preprocess_logits_for_metrics if preprocess else None,
    )
    found.append(made.evaluate())
(folder / f"{{torch.distributed.get_rank()}}.json").write_text(json.dumps(found))
torch.distributed.destroy_process_group()
"""
