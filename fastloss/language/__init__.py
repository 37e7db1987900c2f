"""Scores of language models: tokens, sequences, vocabularies in shards, heads of them."""
