"""Measure the evaluation of language models against lm-evaluation-harness and PyTorch, contenders taking turns.

``python -m benchmarks.language_models`` prints a Markdown table, or with ``--record`` keeps it in `measured.json`.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.record import Row, publish
from benchmarks.rowwise import _peak_memory
from benchmarks.turns import compare, take_turns
from benchmarks.workload import Call
from fastloss._core.threads import available
from fastloss.integrations import lm_eval
from fastloss.integrations.transformers import Perplexity

SETTLE = 0.1  # seconds for which the threads of another library's last call may go on spinning
ROWS, TOKENS = 8, 128  # of a batch
SCORED = 8  # tokens of a continuation
LITTLE = 1 << 20  # bytes, below which memory is not told apart
VOCABULARIES = (32_000, 128_000)
DTYPES = ("float32", "bfloat16")
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}  # the harness's log-softmax of bfloat16 is bfloat16


def batch(vocabulary: int, dtype: str, rows: int) -> tuple[Any, Any]:
    """Logits and the tokens that they predict."""
    import torch

    torch.set_num_threads(available()[0])
    generator = torch.Generator().manual_seed(0)
    logits = torch.empty(rows, TOKENS, vocabulary, dtype=getattr(torch, dtype)).normal_(0, 3, generator=generator)
    return logits, torch.randint(0, vocabulary, (rows, TOKENS), generator=generator)


# Who computes what --------------------------------------------------------------------------------------


def harness(scored: int, logits: Any, labels: Any) -> dict[str, Call]:
    """The harness's step from the logits of a batch to the pairs of its requests, whose last tokens are scored."""
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    tokens = labels.tolist()
    requests = [(("", ""), [0, *row[:-scored]], row[-scored:]) for row in tokens]
    return {
        who: partial(_model(cls, logits)._loglikelihood_tokens, requests, disable_tqdm=True)
        for who, cls in {"fastloss": lm_eval.HFLM, "harness": HFLM}.items()
    }


def _model(cls: Any, logits: Any) -> Any:
    """A model of the harness whose forward pass costs nothing: its logits are there."""
    from tokenizers import Tokenizer, models
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    network = GPT2LMHeadModel(GPT2Config(vocab_size=2, n_positions=TOKENS, n_embd=2, n_layer=1, n_head=1))
    network.forward = lambda *_: SimpleNamespace(logits=logits)
    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "b": 1}, "a")), pad_token="a")
    return cls(pretrained=network, tokenizer=words, batch_size=len(logits))


def trainer(logits: Any, labels: Any) -> dict[str, Call]:
    """The metrics of a batch of an evaluation."""
    of_batch = SimpleNamespace(predictions=logits, label_ids=labels)
    return {"fastloss": partial(Perplexity(), of_batch), "pytorch": partial(metrics, logits, labels)}


def metrics(logits: Any, labels: Any) -> dict[str, float]:
    """As evaluations have them that are written by hand."""
    import torch
    from torch.nn.functional import cross_entropy

    with torch.inference_mode():
        logits, labels = logits[:, :-1], labels[:, 1:]
        losses = cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), reduction="none").view(labels.shape)
        return {
            "perplexity": losses.double().mean().exp().item(),
            "sequence_perplexity": losses.double().mean(dim=-1).exp().mean().item(),
            "accuracy": (logits.argmax(dim=-1) == labels).double().mean().item(),
        }


WORKS: dict[str, tuple[str, Callable[..., dict[str, Call]]]] = {
    "continuations": (f"continuations of {SCORED} of {TOKENS} tokens", partial(harness, SCORED)),
    "texts": (f"texts of {TOKENS} tokens", partial(harness, TOKENS)),
    "trainer": ("the Trainer's metrics", trainer),
}


# Time and memory ----------------------------------------------------------------------------------------


def of_cases(rounds: int, scale: int) -> Iterator[Row]:
    for work, vocabulary, dtype in itertools.product(WORKS, VOCABULARIES, DTYPES):
        title, bind = WORKS[work]
        what = f"{title}, {ROWS} x {TOKENS} x {vocabulary // scale:,} {dtype} logits"
        try:
            calls = bind(*batch(vocabulary // scale, dtype, ROWS))
        except ImportError as error:
            yield Row(what, None, None, f"left out: {error}")
            continue
        (_, ours), (peer, theirs) = ((who, call()) for who, call in calls.items())
        _agree(ours, theirs, TOLERANCE[dtype])
        front = vocabulary == max(VOCABULARIES)
        times = compare(take_turns(calls, rounds, SETTLE), "fastloss", [peer])
        yield Row.of(f"{what}, against {peer}", None, times, front=front)
        used = {who: _extra_memory(who, work, vocabulary // scale, dtype) for who in calls}
        how = ", ".join(f"{who} {size / 2**20:.3g} MB" for who, size in used.items())
        less = used[peer] / max(used["fastloss"], LITTLE)
        yield Row(f"{what}, memory beyond the logits (at least 1 MB), against {peer}", None, less, how)


def _agree(ours: Any, theirs: Any, tolerance: float) -> None:
    if isinstance(ours, dict):
        ours, theirs = ([found[name] for name in ours] for found in (ours, theirs))
    np.testing.assert_allclose(np.asarray(ours, np.float64), np.asarray(theirs, np.float64), rtol=tolerance)


def _extra_memory(who: str, work: str, vocabulary: int, dtype: str) -> int:
    """Bytes beyond the logits by which a call raises the peak of a process of its own."""
    case = [who, work, str(vocabulary), dtype]
    command = [sys.executable, "-m", "benchmarks.language_models", "--memory-of", *case]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _print_memory(who: str, work: str, vocabulary: str, dtype: str) -> None:
    _, bind = WORKS[work]
    bind(*batch(1000, dtype, ROWS))[who]()  # libraries and threads are there before
    call = bind(*batch(int(vocabulary), dtype, ROWS))[who]
    before = _peak_memory()
    call()
    print(_peak_memory() - before)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.language_models", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (default: 7)")
    parser.add_argument("--scale", type=int, default=1, help="divide the vocabulary by this (default: 1)")
    parser.add_argument("--record", action="store_true", help="keep the results in measured.json")
    parser.add_argument("--memory-of", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory_of:
        _print_memory(*options.memory_of)
        return 0
    conditions = (
        f"From logits to what is reported, without the model that makes them; threads: {available()[0]}; ratios of"
        f" times and memory, fastloss's below; medians of {options.rounds} rounds in which the contenders take turns."
    )
    return publish("language_models", conditions, of_cases(options.rounds, options.scale), keep=options.record)


if __name__ == "__main__":
    sys.exit(main())
