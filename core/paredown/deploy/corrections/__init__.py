"""Corrections: what reduces the error of quantization, in the canonical graph and in no framework."""
