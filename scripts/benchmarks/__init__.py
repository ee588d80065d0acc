"""Benchmarks: what riskd costs, beside a reference loop of the same run, with digests of results.

Ratios travel between machines, nanoseconds do not. No test asserts a time; a test runs the smoke
size and the digests say that nothing was sped up by changing its meaning.
"""
