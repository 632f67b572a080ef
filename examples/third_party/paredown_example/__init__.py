"""A plugin for paredown: the `lp` criterion, and a line in the log after each step."""
