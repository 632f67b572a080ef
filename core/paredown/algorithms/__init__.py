"""The decisions: importance, groups, selection, observers, quantization parameters. NumPy only, no framework."""
