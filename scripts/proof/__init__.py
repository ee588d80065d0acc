"""Proofs that print their figures: kills at random instants, damaged journals, simulated worlds."""
