"""`zoo`: the networks that a spec may name."""

from __future__ import annotations

import json
from argparse import Namespace

from paredown.manager import Manager
from paredown.zoo import ZooNetwork, networks

_NOTE = (
    "MACs: of convolutions and Linear layers. twin: held by several backends, parameter by parameter, under one name."
    " width: the factors of its channels that it takes. Networks of one's own (`kind: builder`) and of timm are built"
    " too: see docs/own_networks.md."
)


def zoo(given: Namespace) -> int:
    """Prints the networks as a table or as JSON."""
    found = networks(Manager.discover())
    if given.json:
        print(json.dumps({"networks": [network.to_dict() for network in found]}, indent=1))
        return 0
    from rich.table import Table

    from paredown.cli.running import console

    table = Table(box=None, pad_edge=False)
    for name in ("network", "params", "MACs", "input", "classes", "backends", "twin", "width", "tasks"):
        table.add_column(name, justify="right" if name in ("params", "MACs", "classes") else "left", no_wrap=True)
    for network in found:
        table.add_row(*_cells(network))
    screen = console()
    screen.print(table, highlight=False)
    screen.print(_NOTE, highlight=False, markup=False)
    return 0


def _cells(network: ZooNetwork) -> tuple[str, ...]:
    from paredown.report.rows import count

    return (
        network.name,
        "not counted" if network.params is None else count(network.params),
        "not counted" if network.macs is None else count(network.macs),
        "" if network.input is None else "x".join(map(str, network.input)),
        "" if network.classes is None else str(network.classes),
        ", ".join(network.backends),
        "yes" if network.is_twin else "no",
        "1" if network.widths is None else str(network.widths),
        ", ".join(network.tasks),
    )
