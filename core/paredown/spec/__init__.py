"""The spec: its models, the reading of files, and every message about what is wrong with one."""
