"""Log-likelihoods for lm-evaluation-harness: its own code's, and those of logits."""

import json
import math
import sys
import tracemalloc

import ml_dtypes
import numpy as np
import pytest

from fastloss.integrations import lm_eval as ours
from fastloss.integrations.lm_eval import loglikelihoods
from tests.support import generator

DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


# Of logits ------------------------------------------------------------------------------------------


def batch(dtype, rng, vocabulary=90, time=11):
    """Logits, continuations, some of them greedy, and lengths, some with padding after them."""
    lengths = rng.integers(6, time + 1, 8)
    lengths[0] = time
    logits = (3 * rng.standard_normal((len(lengths), time, vocabulary))).astype(dtype)
    continuations = []
    for i, (row, length) in enumerate(zip(logits, lengths, strict=True)):
        scored = row[length - rng.integers(1, 6) : length].astype(np.float64)
        continuations.append(scored.argmax(axis=-1) if i % 2 else rng.integers(0, vocabulary, len(scored)))
    return logits, [each.tolist() for each in continuations], lengths.tolist()


def expected(logits, continuations, lengths):
    """As the harness has it, in float64."""
    found = []
    for row, tokens, length in zip(logits.astype(np.float64), continuations, lengths, strict=True):
        scored = row[length - len(tokens) : length]
        log_p = scored - np.log(np.exp(scored).sum(axis=-1, keepdims=True))
        logprob = log_p[np.arange(len(tokens)), tokens].sum()
        found.append((logprob, bool((log_p.argmax(axis=-1) == tokens).all())))
    return found


def agree(found, wanted, **tolerance):
    assert [greedy for _, greedy in found] == [greedy for _, greedy in wanted]
    assert all(type(logprob) is float and type(greedy) is bool for logprob, greedy in found)
    np.testing.assert_allclose([pair[0] for pair in found], [pair[0] for pair in wanted], **tolerance)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_loglikelihoods(dtype):
    logits, continuations, lengths = batch(dtype, generator("loglikelihoods"))
    wanted = expected(logits, continuations, lengths)
    assert {greedy for _, greedy in wanted} == {True, False}
    agree(loglikelihoods(logits, continuations, lengths), wanted, rtol=1e-12 if dtype == np.float64 else 1e-6)


def test_without_lengths_continuations_end_with_the_logits():
    logits, continuations, _ = batch(np.float32, generator("ends"))
    found = loglikelihoods(logits, continuations)
    assert found == loglikelihoods(logits, continuations, [logits.shape[1]] * len(logits))
    padded = np.concatenate([np.full_like(logits[:, :3], np.nan), logits], axis=1)  # on the left
    assert found == loglikelihoods(padded, continuations)


def test_nothing_to_score():
    assert loglikelihoods(np.zeros((0, 4, 9)), []) == []
    assert loglikelihoods(np.zeros((2, 3, 9)), [[], [0]]) == [(0.0, True), (-math.log(9), True)]
    assert loglikelihoods(np.zeros((1, 0, 9)), [[]]) == [(0.0, True)]


def test_contexts_and_padding_are_not_read():
    logits, continuations, lengths = batch(np.float32, generator("context"))
    found = loglikelihoods(logits, continuations, lengths)
    for row, tokens, length in zip(logits, continuations, lengths, strict=True):
        row[: length - len(tokens)] = row[length:] = np.nan
    assert loglikelihoods(logits, continuations, lengths) == found


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16], ids=["float32", "bfloat16"])
def test_memory_is_that_of_the_tokens(dtype):
    logits, tokens = np.zeros((4, 16, 20_000), dtype), [[1, 2, 3]] * 4
    loglikelihoods(logits, tokens)
    tracemalloc.start()
    loglikelihoods(logits, tokens)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((np.zeros((2, 5)), [[1], [2]]), ValueError, r"logits has shape \(2, 5\), must be \(batch, time, vocabulary\)"),
        ((np.zeros((2, 3, 5)), [[1]]), ValueError, r"continuations has shape \(1,\), must be \(2,\)"),
        ((np.zeros((2, 3, 5)), [[1], [2]], [3]), ValueError, r"lengths has shape \(1,\), must be \(2,\), one for each"),
        ((np.zeros((1, 3, 5)), [[1]], [3.0]), TypeError, "lengths has dtype float64, must be of integers"),
        (
            (np.zeros((2, 3, 5)), [[1], [2, 3]], [3, 1]),
            ValueError,
            r"lengths\[1\] is 1, must be from the 2 tokens of its continuation to the 3 of the logits",
        ),
        ((np.zeros((1, 3, 5)), [[1]], [4]), ValueError, r"lengths\[0\] is 4, must be from the 1 tokens"),
        ((np.zeros((1, 3, 5)), [[1, 5]]), IndexError, r"continuations\[0\]\[1\] is 5, must be from 0 to 4"),
        ((np.zeros((1, 3, 5)), [[-100]]), IndexError, r"continuations\[0\]\[0\] is -100, must be from 0 to 4"),
        ((np.zeros((1, 3, 5)), [[1.0]]), TypeError, r"continuations\[0\] has shape \(1,\) and dtype float64, must be"),
        ((np.zeros((1, 3, 5)), [7]), TypeError, r"continuations\[0\] has shape \(\) and dtype int64, must be"),
        ((np.zeros((1, 3, 5), complex), [[1]]), TypeError, "logits has dtype complex128"),
    ],
)
def test_errors_name_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        loglikelihoods(*arguments)


def test_without_the_harness_the_model_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastloss.integrations._hflm", None)
    with pytest.raises(ImportError, match=r"^HFLM needs lm_eval: pip install 'fastloss\[lm_eval\]'$"):
        ours.HFLM  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'HFML'"):
        ours.HFML  # noqa: B018


# The harness's model --------------------------------------------------------------------------------

ROUNDING = {"rtol": 1e-5, "atol": 1e-4}  # of the harness's sums of float32 differences of logits of a hundred


@pytest.fixture(scope="module")
def harness():
    """The harness, where it and the libraries of its models are installed."""
    pytest.importorskip("transformers", reason="transformers is not installed: the harness's model is not compared")
    pytest.importorskip("lm_eval", reason="lm_eval is not installed: its model is not compared")
    import torch

    from fastloss.integrations import _hflm

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the models are tiny
    yield _hflm
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tokenizer(harness):
    """Bytes are tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    end = "<|endoftext|>"
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_ = Tokenizer(models.BPE({letter: i for i, letter in enumerate([*letters, end])}, []))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bytes_, eos_token=end, bos_token=end, pad_token=end)


def network(kind):
    """A tiny model, random but the same each time, whose logits are far enough apart to have a largest one."""
    import torch
    import transformers

    torch.manual_seed(0)
    end = {"bos_token_id": 256, "eos_token_id": 256, "pad_token_id": 256}
    if kind == "gpt2":
        config = transformers.GPT2Config(vocab_size=257, n_positions=48, n_embd=32, n_layer=2, n_head=2, **end)
        made = transformers.GPT2LMHeadModel(config)
    elif kind == "llama":
        made = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                vocab_size=257, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                max_position_embeddings=48, **end,
            )
        )  # fmt: skip
    else:
        config = transformers.T5Config(
            vocab_size=257, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, decoder_start_token_id=256, **end
        )
        made = transformers.T5ForConditionalGeneration(config)
    made.get_output_embeddings().weight.data *= 20
    return made.eval()


@pytest.fixture(scope="module", params=["gpt2", "llama", "t5"])
def model(request, harness):
    return network(request.param)


def request_of(*arguments, kind="loglikelihood"):
    from lm_eval.api.instance import Instance

    return Instance(kind, {}, arguments, 0)


def requests(model, tokenizer):
    """Contexts with several continuations, of one token and of more, empty, too long; and what the model would say."""
    import torch

    contexts = ["The cat", "A longer context that goes on", "", "x" * 60, "The cat"]
    found = [(context, end) for context in contexts for end in (" sat", " on the mat", "y", "z", "!")]
    if not model.config.is_encoder_decoder:
        for context in ("The cat", "Once"):
            inputs = torch.tensor([tokenizer(context)["input_ids"]])
            said = model.generate(inputs, do_sample=False, max_new_tokens=4, min_new_tokens=4)[0, inputs.shape[1] :]
            found.append((context, tokenizer.decode(said)))
    return [request_of(*each) for each in found]


def both(harness, model, tokenizer, **options):
    """The harness's own and ours, the latter of which must not compute a whole log-softmax."""
    from lm_eval.models.huggingface import HFLM

    return tuple(cls(pretrained=model, tokenizer=tokenizer, **options) for cls in (HFLM, harness.HFLM))


@pytest.fixture
def nothing_whole(harness, monkeypatch):
    def refused(given):
        assert not isinstance(given, harness.LogSoftmax)
        return given

    monkeypatch.setattr(harness, "_computed", refused)


@pytest.mark.usefixtures("nothing_whole")
@pytest.mark.parametrize("options", [{"batch_size": 4}, {"batch_size": 1, "logits_cache": False}], ids=str)
def test_the_model_is_that_of_the_harness(harness, model, tokenizer, options):
    theirs, mine = both(harness, model, tokenizer, **options)
    asked = requests(model, tokenizer)
    wanted = theirs.loglikelihood(asked, disable_tqdm=True)
    assert model.config.is_encoder_decoder or {greedy for _, greedy in wanted} == {True, False}
    agree(mine.loglikelihood(asked, disable_tqdm=True), wanted, **ROUNDING)
    rolling = [request_of(text, kind="loglikelihood_rolling") for text in ("short", "words of a text " * 20)]
    found, wanted = (one.loglikelihood_rolling(rolling, disable_tqdm=True) for one in (mine, theirs))
    np.testing.assert_allclose(found, wanted, **ROUNDING)


@pytest.mark.usefixtures("nothing_whole")
def test_the_batch_size_is_found(harness, tokenizer):
    theirs, mine = both(harness, network("gpt2"), tokenizer, batch_size="auto", max_batch_size=2)
    asked = [request_of("The cat", " sat"), request_of("The", " mat")]
    agree(mine.loglikelihood(asked, disable_tqdm=True), theirs.loglikelihood(asked, disable_tqdm=True), **ROUNDING)


@pytest.mark.usefixtures("nothing_whole")
def test_sixteen_bits_are_scored_as_in_32(harness, tokenizer):
    import torch

    model = network("llama").to(torch.bfloat16)
    theirs, mine = both(harness, model, tokenizer, batch_size=4, softmax_dtype="float32")
    asked = requests(model, tokenizer)
    wanted = theirs.loglikelihood(asked, disable_tqdm=True)
    agree(mine.loglikelihood(asked, disable_tqdm=True), wanted, **ROUNDING)
    _, plain = both(harness, model, tokenizer, batch_size=4)
    agree(plain.loglikelihood(asked, disable_tqdm=True), wanted, **ROUNDING)


def test_the_command_of_the_harness_has_the_model(harness, tokenizer, tmp_path, monkeypatch, capsys):
    import lm_eval
    from lm_eval.tasks import TaskManager

    lines = [
        {"question": f"{i} and {i}?", "choices": [str(2 * i), "none"], "right": 0, "text": "of words " * (i + 2)}
        for i in range(5)
    ]
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, lines)))
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(tmp_path / "data.jsonl")}}}
    tasks = {
        "choices": {
            "output_type": "multiple_choice",
            "doc_to_text": "{{question}}",
            "doc_to_choice": "{{choices}}",
            "doc_to_target": "{{right}}",
            "metric_list": [{"metric": "acc"}],
        },
        "texts": {
            "output_type": "loglikelihood_rolling",
            "doc_to_text": "",
            "doc_to_target": "{{text}}",
            "metric_list": [{"metric": "bits_per_byte"}],
        },
    }
    for name, task in tasks.items():
        (tmp_path / f"{name}.yaml").write_text(json.dumps({"task": name, "test_split": "test", **data, **task}))
    model = network("gpt2")
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    only = TaskManager(include_path=str(tmp_path), include_defaults=False)
    theirs, _ = both(harness, model, tokenizer)
    wanted = lm_eval.simple_evaluate(theirs, tasks=list(tasks), task_manager=only, bootstrap_iters=0)["results"]
    command = [
        *("lm_eval", "--model", "fastloss", "--model_args", f"pretrained={tmp_path / 'model'}"),
        *("--device", "cpu", "--tasks", ",".join(tasks), "--include_path", str(tmp_path)),
        *("--output_path", str(tmp_path / "out")),
    ]
    monkeypatch.setattr(sys, "argv", command)
    ours.main()
    (written,) = tmp_path.glob("out/**/results*.json")
    found = json.loads(written.read_text())["results"]
    assert found["choices"]["acc,none"] == wanted["choices"]["acc,none"]
    assert found["texts"]["bits_per_byte,none"] == pytest.approx(wanted["texts"]["bits_per_byte,none"], rel=1e-6)
    assert "bits_per_byte" in capsys.readouterr().out


# The log-softmax ------------------------------------------------------------------------------------


def pair(harness, shape=(2, 5, 7), dtype=None):
    """A log-softmax that waits, and PyTorch's."""
    import torch
    import torch.nn.functional as F

    logits = torch.from_numpy(generator("logits").standard_normal(shape).astype(np.float32))
    waiting = F.log_softmax(logits.as_subclass(harness.Logits), dim=-1, dtype=dtype)
    assert type(waiting) is harness.LogSoftmax
    return waiting, F.log_softmax(logits, dim=-1, dtype=dtype)


OPERATIONS = {
    "a sum": lambda x: x.sum(),
    "arithmetic": lambda x: 2 * x - 1,
    "a comparison": lambda x: x > -2.0,
    "of classes": lambda x: x[..., 2:4],
    "by index": lambda x: x[:, [0, 2]],
    "of a row": lambda x: x[1][3].exp(),
    "a row's number": lambda x: x[1][3][2],
    "turned": lambda x: x.transpose(1, 2),
    "wider": lambda x: x.unsqueeze(-1),
    "expanded": lambda x: x[0].unsqueeze(0).expand(3, 5, 7).argmax(dim=-1),
    "in pieces of rows": lambda x: x.chunk(2, dim=-1)[1],
    "all classes apart": lambda x: x.unbind(-1)[3],
    "largest of all": lambda x: x.argmax(),
    "largest of rows": lambda x: x.argmax(dim=1),
    "gathered by name": lambda x: __import__("torch").gather(input=x, dim=2, index=(x < -2).long()),
    "gathered from the tensor": lambda x: __import__("torch").gather(x, dim=2, index=(x < -2).long()),
    "expanded by name": lambda x: x[:1].expand(size=(3, 5, 7)),
    "gathered along rows": lambda x: x.gather(1, (x < -2).long()),
    "a default": lambda x: x.topk(2).indices,
    "stacked": lambda x: __import__("torch").stack([x, x]),
    "second": lambda x: __import__("torch").ones(7) * x,
    "an array": lambda x: x.numpy(),
    "a list": lambda x: x.tolist(),
    "a text": repr,
    "its type": lambda x: (x.dtype, x.shape, x.ndim, x.dim(), len(x)),
    "changed": lambda x: (x.mul_(2), x + 1, x[0])[1:],
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_anything_else_is_pytorchs(harness, operation, dtype):
    import torch

    found, wanted = map(operation, pair(harness, dtype=getattr(torch, dtype)))
    for ours_, theirs in zip(*((x if isinstance(x, tuple) else (x,)) for x in (found, wanted)), strict=True):
        if isinstance(theirs, torch.Tensor):
            assert ours_.dtype == theirs.dtype
            np.testing.assert_array_equal(ours_.numpy(), theirs.numpy())
        else:
            np.testing.assert_equal(ours_, theirs)


@pytest.mark.usefixtures("nothing_whole")
def test_rows_know_their_sums(harness):
    import torch

    waiting, whole = pair(harness)
    rows, wanted = (each[1][1:4].unsqueeze(0) for each in (waiting, whole))
    assert torch.equal(rows.argmax(dim=-1), wanted.argmax(dim=-1))
    for part in rows.expand(3, -1, -1).chunk(3):
        assert part.known
        index = torch.tensor([[[2, 0], [1, 1], [6, 3]]])
        np.testing.assert_allclose(torch.gather(part, 2, index), torch.gather(wanted, 2, index), rtol=0, atol=1e-6)
        fewer = index[:, :2]
        np.testing.assert_allclose(torch.gather(part, 2, fewer), torch.gather(wanted, 2, fewer), rtol=0, atol=1e-6)


def test_one_class_is_certain(harness):
    waiting, whole = pair(harness, (4, 3, 1))
    np.testing.assert_array_equal(waiting[0].numpy(), whole[0].numpy())
    assert not whole.numpy().any()


def test_logits_are_those_of_the_model(harness):
    import torch

    logits = torch.ones(2, 3).as_subclass(harness.Logits)
    assert torch.equal((logits + 1).as_subclass(torch.Tensor), torch.full((2, 3), 2.0))
    along_rows = torch.nn.functional.log_softmax(logits, dim=0)
    np.testing.assert_allclose(along_rows.as_subclass(torch.Tensor), math.log(0.5))


def test_logits_elsewhere_are_left_to_pytorch(harness, tokenizer, monkeypatch):
    import torch
    from lm_eval.models.huggingface import HFLM

    _, mine = both(harness, network("gpt2"), tokenizer)
    monkeypatch.setattr(HFLM, "_model_call", lambda *_: torch.empty(1, 2, 3, device="meta"))
    assert type(mine._model_call(torch.zeros(1, 2))) is torch.Tensor
