"""Criteria: how much a channel or a single weight matters. One file a criterion, NumPy only."""
