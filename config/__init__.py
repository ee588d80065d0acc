"""Typed settings, limits, instruments and accounts: shipped defaults, loading, checking.

Reading order: settings, errors, locate, shapes, documents, entries, environment, rules, addresses,
load. Callers need `config.load.load` and the types in `config.settings` and `config.errors`.
"""
