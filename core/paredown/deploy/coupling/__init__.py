"""Coupled channels, found once on the canonical graph.

Every element of every tensor is labelled with the channel that it belongs to. Operators that move elements move labels,
operators that combine elements join the channels that meet, and what cannot be followed is left whole with a reason
(the idea of dependency graphs, Fang et al., 2023, "DepGraph", carried out on elements rather than layers).
"""

from paredown.deploy.coupling.find import find_groups

__all__ = ["find_groups"]
