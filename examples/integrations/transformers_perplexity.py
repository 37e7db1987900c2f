"""
Perplexity in the Trainer
=========================

A small language model learns to count, and the Trainer of transformers reports its perplexity after each epoch: of sums
that are kept while it evaluates, never of logits.
"""

import logging
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import torch
import transformers

from fastloss.integrations.transformers import Perplexity

logging.disable(logging.WARNING)
rng = np.random.default_rng(0)
VOCABULARY = 50


def texts(count):
    """Numbers that count up by a step of their own, one in ten of which is any other."""
    numbers = rng.integers(0, VOCABULARY, (count, 1)) + rng.integers(1, 5, (count, 1)) * np.arange(24)
    noisy = np.where(rng.random(numbers.shape) < 0.1, rng.integers(0, VOCABULARY, numbers.shape), numbers % VOCABULARY)
    return [{"input_ids": torch.tensor(text), "labels": torch.tensor(text)} for text in noisy]


torch.manual_seed(0)
sizes = {"n_positions": 24, "n_embd": 64, "n_layer": 2, "n_head": 4}
model = transformers.GPT2LMHeadModel(
    transformers.GPT2Config(vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=0, **sizes)
)

# %%
# Train, and evaluate after each epoch
# ------------------------------------

metrics = Perplexity()
with tempfile.TemporaryDirectory() as folder:
    arguments = transformers.TrainingArguments(
        folder, num_train_epochs=6, learning_rate=3e-3, per_device_train_batch_size=32, eval_strategy="epoch",
        batch_eval_metrics=True, save_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True,
        dataloader_pin_memory=False, seed=0,
    )  # fmt: skip
    trainer = transformers.Trainer(
        model, arguments, train_dataset=texts(640), eval_dataset=texts(200), compute_metrics=metrics,
        preprocess_logits_for_metrics=metrics.preprocess_logits_for_metrics,
    )  # fmt: skip
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()

found = [entry["eval_perplexity"] for entry in trainer.state.log_history if "eval_perplexity" in entry]
low, high = np.exp(metrics.tokens.confidence_interval(0.95))
print(f"perplexity {found[-1]:.2f}, with 95% confidence from {low:.2f} to {high:.2f}; of any numbers {VOCABULARY}")

# %%
# While it learns

figure, axis = plt.subplots(figsize=(7, 3.8), layout="constrained")
axis.semilogy(np.arange(1, len(found) + 1), found, "o-")
axis.set(xlabel="epoch", ylabel="perplexity of texts that were not seen")
plt.show()
