"""
Perplexity of a language model
==============================

A model that counts pairs of letters is scored: the log-probability of each letter, the perplexity by text with its
confidence interval, and which letters it did not expect.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import fastloss as fl

LESSON = 8 * "the loss of a sample is the mean of the losses of its parts and its slope is the sum of their slopes "
TEXTS = ["the slope of the mean", "the loss of the sum", "zebras quickly jump over"]
letters = sorted(set(LESSON) | set("".join(TEXTS)))
number = {letter: k for k, letter in enumerate(letters)}

# %%
# Logits of the next letter
# -------------------------
# The logarithm of how often a letter followed another, with a little for pairs that never occurred.

counts = np.full((len(letters), len(letters)), 0.1)
for before, after in pairwise(LESSON):
    counts[number[before], number[after]] += 1
logits = np.log(counts)

tokens = [np.array([number[letter] for letter in text]) for text in TEXTS]
scores = np.concatenate([logits[text[:-1]] for text in tokens])
targets = np.concatenate([text[1:] for text in tokens])
offsets = np.cumsum([0, *[len(text) - 1 for text in tokens]])

# %%
# Scores of tokens and of texts
# -----------------------------

of_tokens = fl.token_logprobs(scores, targets)
of_texts = fl.sequence_logprobs(scores, targets, offsets=offsets)
for text, logprob, count in zip(TEXTS, of_texts.logprob, of_texts.tokens, strict=True):
    print(f"{text!r}: perplexity {np.exp(-logprob / count):.1f}")
print(f"of all tokens: {of_texts.token_perplexity:.1f}, where a guess has {len(letters)}")

# %%
# Which letters were not expected

figure, axes = plt.subplots(len(TEXTS), 1, figsize=(9, 4.8), sharey=True, layout="constrained")
for axis, text, begin, end in zip(axes, TEXTS, offsets, offsets[1:], strict=False):
    axis.bar(range(1, len(text)), -of_tokens.logprob[begin:end], color="#1f6fb4")
    axis.axhline(np.log(len(letters)), color="gray", linestyle="--", linewidth=1)
    axis.set_xticks(range(len(text)), [letter.replace(" ", "␣") for letter in text])
axes[1].set(ylabel="minus log-probability")
figure.suptitle("A guess is at the dashed line")
plt.show()
