"""From a spec to a result: baseline, steps, deployment, journal, and a process for each backend."""
