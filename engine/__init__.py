"""Pure rules and state: no socket, file, thread, clock, log or randomness. Time comes as input.

Modules import only from modules above them in this reading order:

money, facts, instruments, limits, quotes, groups, breakers, throttle, ledger, orders, boards,
valuation, case, findings, checks, plans, membership, account_state, account, headroom, lookup,
pretrade, amend, basket, fills, reports, desk, suspense, alerts, timers, market, operator, universe,
core, digest, views
"""
