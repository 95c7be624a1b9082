"""Whether a raster file is all there, told by its ends: no pixel is decoded.

A download that broke off often opens without complaint; its later rows are missing.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 16: 8, 13: 4, 18: 8}
_OFFSETS, _COUNTS = (273, 324), (279, 325)  # of strips, of tiles
_TAIL = 1 << 16
_MOST_VALUES = 1 << 24


def cut_short(path: Path) -> bool:
    """Whether the end of a TIFF, JPEG 2000, PNG or JPEG file is missing.

    Files of other kinds, or too odd to tell, are taken to be complete: reading them will show.
    """
    with path.open("rb") as file:
        head = file.read(16)
        size = file.seek(0, 2)
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            try:
                return _last_byte_of_tiff(file, head, size) > size
            except (struct.error, ValueError, KeyError):
                return True
        if head[4:8] == b"jP  ":
            return _end_of_boxes(file, size) > size
        file.seek(max(size - _TAIL, 0))
        tail = file.read()
    if head.startswith(b"\x89PNG"):
        return b"IEND" not in tail
    if head.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" not in tail
    if head.startswith(b"RIFF"):
        return int.from_bytes(head[4:8], "little") + 8 > size
    return False


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """One past the last byte that the boxes of a JPEG 2000 file need."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length == 0:  # up to the end of the file, which must be that of the code stream
            file.seek(size - 2)
            return size if header[4:8] != b"jp2c" or file.read() == b"\xff\xd9" else size + 1
        at += max(length, 8)
    return at


def _last_byte_of_tiff(file: BinaryIO, head: bytes, size: int) -> int:
    """One past the last byte that the first image of a TIFF needs."""
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    word, entry_format, count_format = ("Q", "HHQ8s", "Q") if big else ("I", "HHI4s", "H")
    start = struct.unpack_from(f"{order}{word}", head, 8 if big else 4)[0]
    file.seek(start)
    count = _read(file, f"{order}{count_format}")[0]
    found: dict[int, tuple[int, ...]] = {}
    for _ in range(count):
        tag, kind, number, inline = struct.unpack(
            order + entry_format, file.read(struct.calcsize(order + entry_format))
        )
        if tag in _OFFSETS + _COUNTS:
            after = file.tell()
            found[tag] = _values(file, order, kind, number, inline)
            file.seek(after)
    last = file.tell()
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        blocks = zip(found.get(offsets, ()), found.get(counts, ()), strict=False)
        last = max([last, *(offset + length for offset, length in blocks if length)])
    return last


def _values(file: BinaryIO, order: str, kind: int, number: int, inline: bytes) -> tuple[int, ...]:
    width = _TYPE_SIZES[kind]
    code = {1: "B", 2: "H", 4: "I", 8: "Q"}[width]
    if number > _MOST_VALUES:
        raise ValueError("more blocks than a file can have")
    if width * number <= len(inline):
        return struct.unpack_from(f"{order}{number}{code}", inline)
    pointer = "Q" if len(inline) == 8 else "I"
    file.seek(struct.unpack(order + pointer, inline)[0])
    return _read(file, f"{order}{number}{code}")


def _read(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
