"""What a written file says about the network in it."""

from __future__ import annotations

from archspec.graph.graph import Graph
from archspec.language.standalone import standalone
from archspec.language.text.yaml_writer import to_yaml


def metadata(graph: Graph) -> dict[str, str]:
    """The network's name and hash, and its spec, which needs no other file; only name and hash if it has no spec.

    >>> import archspec
    >>> sorted(metadata(archspec.compile("resnet18")))
    ['archspec', 'hash', 'name']
    """
    spec = {"archspec": to_yaml(standalone(graph.origin))} if graph.origin else {}
    return {**spec, "name": graph.name, "hash": graph.fingerprint}
