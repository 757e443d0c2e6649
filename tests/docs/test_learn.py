"""What the tables of docs/learn/ calculate by hand is what the compiler calculates."""

from __future__ import annotations

import re

import archspec
from tests.docs.test_docs_tables import Rows, tables
from tests.support.pages import PAGES, text_of
from tests.support.paths import ROOT

BLOCKS = tables("docs/learn/blocks.md")
PARTS = (
    (ROOT / "docs" / "signal.md").read_text(encoding="utf-8").partition("| norm | network |")[2].partition("\n\n")[0]
)
SIGNAL = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PARTS.splitlines()[2:]]


def number(text: str) -> int:
    return int(text.replace(",", "").strip("* "))


def calculated(sum_of_products: str) -> int:
    """The value of a sum such as `9 · 256 · 256 + 1 · 64 · 256`."""
    total = 0
    for product in sum_of_products.split("+"):
        value = 1
        for factor in re.findall(r"\d+", product):
            value *= int(factor)
        total += value
    return total


def test_the_sums_of_the_two_blocks() -> None:
    for _, weights, total in BLOCKS["Which one costs less?"]:
        assert calculated(weights) == number(total)


def test_the_first_stage_line_by_line() -> None:
    totals = {text.partition(":")[0]: weights for text, weights in BLOCKS["ResNet-50, line by line"]}
    weights = dict(archspec.build("resnet50", device="meta").named_parameters())
    of = {
        scope: sum(tensor.numel() for name, tensor in weights.items() if name.startswith(scope))
        for scope in ("layer1.0.", "layer1.1.", "layer1.")
    }
    assert number(totals["first block"]) == of["layer1.0."]
    assert number(totals["each other block"]) == of["layer1.1."]
    assert number(totals["stage"]) == of["layer1."]


def test_the_layers_of_five_networks() -> None:
    for network, block, counts, layers in BLOCKS["Where the 50 comes from"]:
        graph = archspec.compile(network.lower().replace("-", ""))
        stages = [graph.blocks(stage) for stage in graph.stages]
        assert [len(blocks) for blocks in stages] == [int(count) for count in counts.split(", ")]
        assert {each.name for blocks in stages for each in blocks} == {block}
        assert calculated(layers) == archspec.analyze(graph).totals.layers == int(network.partition("-")[2])


def test_the_activation_orders() -> None:
    rows: Rows = tables("docs/learn/activation_order.md")["Pre- and post-activation"]
    assert len(rows) == 5
    for order, residual, after, _ in rows:
        overrides = [f"activation_order={order.strip('`')}", "stages.count=2"]
        graph = archspec.compile("resnet56_cifar", overrides=overrides)
        block = graph.blocks(graph.stages[0])[1]
        names = [node.operation.name for node in graph.nodes[block.first : block.last]]
        merge = names.index("add")
        assert residual.split(", ") == names[:merge]
        assert ([] if after == "nothing" else after.split(", ")) == names[merge + 1 :]


def test_the_growth_of_gradients_is_what_the_signal_check_measured() -> None:
    measured = {(norm, network, layers): mean for norm, network, layers, _, mean, *_ in SIGNAL}
    heads = (("batch", "plain"), ("none", "plain"), ("batch", "post, A"), ("batch", "pre"))
    role = "Role 2: it shapes the gradient, and not as most people think"
    for layers, *means in tables("docs/learn/batch_norm.md")[role]:
        assert means == [measured[(*head, layers)] for head in heads]


def test_every_page_ends_with_questions() -> None:
    pages = [
        page
        for page in PAGES
        if page.startswith("docs/learn/") and page.split("/")[-1] not in ("index.md", "exercises.md")
    ]
    assert len(pages) == 10
    assert [page for page in pages if "## Check yourself" not in text_of(page)] == []
