"""The zip archives that ``torch.save`` writes: only those that every reader reads alike, and that fit into the memory.

torch reads an archive with miniz, and Python reads one with ``zipfile``. They look for the directory in different ways,
so a file can show one content to a check and another to torch. This module accepts only what ``torch.save`` writes:
entries that are stored without compression and follow each other from the first byte of the file, one directory that
lists each of them once, and the end.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

LOCAL, CENTRAL, DESCRIPTOR = b"PK\3\4", b"PK\1\2", b"PK\7\x08"
END, END_64, LOCATOR_64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"

ENDING = struct.Struct("<4s4H2LH")
ENDING_64 = struct.Struct("<4sQ2H2L4Q")
LOCATING_64 = struct.Struct("<4sLQL")
CENTRAL_ENTRY = struct.Struct("<4s6H3L5H2L")
LOCAL_ENTRY = struct.Struct("<4s5H3L2H")

HAS_DESCRIPTOR = 0x8
UTF_8 = 0x800
FULL = 0xFFFFFFFF
"""A size or an offset that is in an extra field, because it has more than 32 bits."""

MAX_DIRECTORY = 64 * 2**20
"""The most bytes of a directory. One entry takes about 70."""


class AmbiguousArchive(ValueError):
    """An archive that ``torch.save`` did not write: readers may disagree about it, or it unpacks to more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive: its name, where its header begins, its size, and the checksum in the directory."""

    name: str
    header: int
    size: int
    checksum: int
    flags: int


def entries(stream: BinaryIO) -> dict[str, tuple[int, int]]:
    """Where the data of each file of an archive begins, and its size.

    Raises:
        AmbiguousArchive: the archive is not exactly as ``torch.save`` writes it.
    """
    size = stream.seek(0, os.SEEK_END)
    start, length, count = _directory(stream, size)
    if length > MAX_DIRECTORY or start + length > size:
        raise AmbiguousArchive("the directory of the archive is too large")
    found = list(_listed(_read(stream, start, length), count))
    names = {entry.name.casefold() for entry in found}
    if len(names) < len(found):
        raise AmbiguousArchive("the archive lists a name twice")
    if len({entry.name.partition("/")[0] for entry in found}) != 1 or not all("/" in entry.name for entry in found):
        raise AmbiguousArchive("the files in the archive are not in one folder")
    places, end = {}, 0
    for entry in sorted(found, key=lambda entry: entry.header):
        if entry.header != end:
            raise AmbiguousArchive(f"the archive has other data before `{entry.name}`")
        data = _data(stream, entry)
        places[entry.name] = (data, entry.size)
        end = _end(stream, entry, data)
    if end != start:
        raise AmbiguousArchive("the archive has other data before its directory")
    return places


def _read(stream: BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    data = stream.read(length)
    if len(data) < length:
        raise AmbiguousArchive("the archive is truncated")
    return data


def _directory(stream: BinaryIO, size: int) -> tuple[int, int, int]:
    """Where the directory begins, its length, and how many entries it has."""
    at = size - ENDING.size
    if at < 0:
        raise AmbiguousArchive("the archive is truncated")
    mark, disk, first_disk, here, count, length, start, comment = ENDING.unpack(_read(stream, at, ENDING.size))
    if mark != END:
        raise AmbiguousArchive("the archive does not end with its directory")
    if disk or first_disk or comment or here != count:
        raise AmbiguousArchive("the archive is split into parts, or has a comment")
    end = at
    locator = at - LOCATING_64.size
    if locator >= ENDING_64.size and _read(stream, locator, 4) == LOCATOR_64:
        end = locator - ENDING_64.size
        mark, first_disk, offset, disks = LOCATING_64.unpack(_read(stream, locator, LOCATING_64.size))
        large = ENDING_64.unpack(_read(stream, end, ENDING_64.size))
        if large[0] != END_64 or offset != end or first_disk or disks != 1 or large[1] != ENDING_64.size - 12:
            raise AmbiguousArchive("the archive has several directories")
        if large[4] or large[5] or large[6] != large[7]:
            raise AmbiguousArchive("the archive is split into parts")
        for small, wide, full in ((count, large[7], 0xFFFF), (length, large[8], FULL), (start, large[9], FULL)):
            if small not in (wide, full):
                raise AmbiguousArchive("the archive has several directories")
        count, length, start = large[7:]
    if start + length != end:
        raise AmbiguousArchive("the archive has other data around its directory")
    return start, length, count


def _listed(directory: bytes, count: int) -> Iterator[Entry]:
    at = 0
    for _ in range(count):
        if at + CENTRAL_ENTRY.size > len(directory):
            raise AmbiguousArchive("the directory of the archive is truncated")
        found = CENTRAL_ENTRY.unpack_from(directory, at)
        mark, _, _, flags, method, _, _, checksum, packed, size, name_length, extra_length, comment, disk = found[:14]
        header = found[16]
        at += CENTRAL_ENTRY.size
        name = _name(directory[at : at + name_length])
        at += name_length
        packed, size, header = _wide(directory[at : at + extra_length], size, packed, header)
        at += extra_length
        if mark != CENTRAL or at > len(directory) or comment or disk:
            raise AmbiguousArchive("the directory of the archive is damaged")
        if method or packed != size:
            raise AmbiguousArchive(f"`{name}` in the archive is compressed, and `torch.save` does not compress")
        if flags & ~(HAS_DESCRIPTOR | UTF_8):
            raise AmbiguousArchive(f"`{name}` in the archive is encrypted")
        yield Entry(name, header, size, checksum, flags)
    if at != len(directory):
        raise AmbiguousArchive("the directory of the archive is longer than its entries")


def _name(name: bytes) -> str:
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if not text or "\0" in text:  # some readers end a name there
        raise AmbiguousArchive("the archive has a name that is not text")
    return text


def _wide(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """The packed size, the size and the offset of an entry; those of more than 32 bits are in its extra field."""
    values = _extra(extra)
    found = []
    for value in (size, packed, header):
        if value == FULL:
            if len(values) < 8:
                raise AmbiguousArchive("the directory of the archive is damaged")
            value, values = int.from_bytes(values[:8], "little"), values[8:]
        found.append(value)
    if values:
        raise AmbiguousArchive("the directory of the archive has a size twice")
    return found[1], found[0], found[2]


def _extra(extra: bytes) -> bytes:
    """The field of wide sizes in the extra fields of an entry."""
    found, at = [], 0
    while at < len(extra):
        kind, length = struct.unpack_from("<2H", extra, at) if at + 4 <= len(extra) else (0, len(extra))
        at += 4 + length
        if at > len(extra):
            raise AmbiguousArchive("the archive has a damaged extra field")
        if kind == 1:
            found.append(extra[at - length : at])
    if len(found) > 1:
        raise AmbiguousArchive("the archive has a size twice")
    return found[0] if found else b""


def _data(stream: BinaryIO, entry: Entry) -> int:
    """Where the data of an entry begins, if its own header agrees with the directory."""
    found = LOCAL_ENTRY.unpack(_read(stream, entry.header, LOCAL_ENTRY.size))
    mark, _, flags, method, _, _, checksum, packed, size, name_length, extra_length = found
    rest = _read(stream, entry.header + LOCAL_ENTRY.size, name_length + extra_length)
    later = flags & HAS_DESCRIPTOR and not (checksum or packed or size)
    if not later and FULL in (size, packed):
        packed, size, _ = _wide(rest[name_length:], size, packed, 0)
    agrees = later or (checksum, packed, size) == (entry.checksum, entry.size, entry.size)
    name = rest[:name_length].decode("utf-8", "replace")
    if mark != LOCAL or method or flags != entry.flags or name != entry.name or not agrees:
        raise AmbiguousArchive(f"the headers of `{entry.name}` in the archive disagree")
    return entry.header + LOCAL_ENTRY.size + len(rest)


def _end(stream: BinaryIO, entry: Entry, data: int) -> int:
    """Where an entry ends: after its data, or after the sizes that follow them."""
    end = data + entry.size
    if not entry.flags & HAS_DESCRIPTOR:
        return end
    for layout in ("<4s3L", "<4sL2Q"):
        length = struct.calcsize(layout)
        stream.seek(end)
        found = stream.read(length)
        if len(found) == length and struct.unpack(layout, found) == (
            DESCRIPTOR,
            entry.checksum,
            entry.size,
            entry.size,
        ):
            return end + length
    raise AmbiguousArchive(f"the headers of `{entry.name}` in the archive disagree")
