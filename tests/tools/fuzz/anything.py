"""Bytes that may or may not be a spec: as they come, as tokens of YAML, and specs of the project with bytes changed."""

from __future__ import annotations

from functools import cache

from tests.tools.fuzz.choices import Choices
from tests.tools.fuzz.texts import BAD, GOOD, ZOO

START = b"archspec: 1\nname: t\n"
TOKENS = (
    *(b"stages: {block: basic, count: 1, channels: 8}\n", b"extends: resnet18\n", b"stages:", b"blocks:", b"params:"),
    *(b"steps:", b"residual:", b"stem:", b"head:", b"expect:", b"naming:", b"scale:", b"import:", b"outputs:", b"let:"),
    *(b"layer:", b"conv:", b"pool:", b"concat:", b"add:", b"sequence:", b"use:", b"out:", b"kernel:", b"when:", b"of:"),
    *(b" ", b"  ", b"    ", b"\n", b"\n  ", b"\n    ", b"- ", b": ", b", ", b"[", b"]", b"{", b"}", b"'", b'"', b"#"),
    *(b"&a ", b"*a", b"|\n", b">\n", b"? ", b"!!python/name:os.system ", b"!<x> ", b"%YAML 1.1\n", b"---\n", b"...\n"),
    *(b"<<: *a", b"1", b"0", b"-1", b"64", b"1e9", b"1e300", b"010", b"0x1f", b"12:30", b"yes", b"null", b".nan", b"~"),
    *(
        b"\t",
        b"\r\n",
        b"\r",
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xae",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
    ),
    *(b"[" * 80, b"{a: " * 80, b"9" * 400, b"- " * 80, b"channels * 2", b"1/0", b"{stage}", b"\\x", b"\\ud800"),
)


@cache
def texts() -> list[bytes]:
    return [path.read_bytes() for path in ZOO + GOOD + BAD]


def anything(data: bytes) -> bytes:
    choices = Choices(data)
    match choices.below(8):
        case 0:
            return choices.rest()
        case 1:
            return START + b"".join(choices.pick(TOKENS) for _ in range(1 + choices.below(40)))
        case _:
            return changed(bytearray(choices.pick(texts())), choices)


def changed(text: bytearray, choices: Choices) -> bytes:
    """A text with one to three stretches of bytes changed, dropped, doubled, put elsewhere or taken from another."""
    for _ in range(1 + choices.below(3)):
        at = choices.below(len(text) + 1)
        stretch = bytes(text[at : at + 1 + choices.below(24)])
        match choices.below(8):
            case 0:
                text[at : at + 1] = bytes([choices.byte()])
            case 1:
                del text[at : at + len(stretch)]
            case 2:
                text[at:at] = stretch
            case 3:
                other = choices.below(len(text) + 1)
                text[other:other] = stretch
            case 4:
                text[at:at] = choices.pick(TOKENS)
            case 5:
                text[at : at + 1] = b"%d" % choices.pick((0, 1, 3, 7, 9, 10, 999))
            case _:
                lines = text.splitlines(keepends=True) or [bytearray()]
                lines[choices.below(len(lines))] = choices.pick(choices.pick(texts()).splitlines(keepends=True))
                text = bytearray().join(lines)
    return bytes(text)
