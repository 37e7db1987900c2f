"""What other libraries take: objectives and metrics of gradient boosting, scorers and models of scikit-learn, losses of
PyTorch, JAX and Keras, perplexities of the Trainer of transformers, log-likelihoods of lm-evaluation-harness.

Each module is imported by its name and needs nothing but NumPy until the library itself calls; `torch`, `jax`, `keras`
and `ray`, whose losses are functions and objects of those libraries, need them.
"""
