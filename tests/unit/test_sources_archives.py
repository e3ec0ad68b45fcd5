"""Members, reasons and limits of archives, on archives made here byte by byte where no library would make them."""

import bz2
import gzip
import io
import itertools
import lzma
import random
import struct
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import BinaryIO

import py7zr
import pytest

from imagelake.sources.archives import TAIL_BYTES, ArchiveLimits, Member, archive_kind, expand

MIB = 1 << 20
NOISE = random.Random(7).randbytes(5000)


def zip_of(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tar_of(members: dict[str, bytes], mode: str = "w", **info: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), 1_600_000_000
            for key, value in info.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def sevenzip_of(members: dict[str, bytes], **options: object) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return out.getvalue()


def members_of(
    archive: bytes, limits: ArchiveLimits | None = None, skip: Callable[[str, int], bool] | None = None
) -> list[Member]:
    kind = archive_kind(archive[:1024], archive[-TAIL_BYTES:])
    assert kind is not None
    return list(expand(lambda: io.BytesIO(archive), "a", kind, limits, skip=skip))


def contents(members: list[Member]) -> dict[str, bytes | str | None]:
    assert len({m.origin for m in members}) == len(members)
    return {m.origin: m.error.reason if m.error else m.data for m in members}


MAKERS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": zip_of,
    "zip stored": lambda m: zip_of(m, zipfile.ZIP_STORED),
    "zip bzip2": lambda m: zip_of(m, zipfile.ZIP_BZIP2),
    "zip lzma": lambda m: zip_of(m, zipfile.ZIP_LZMA),
    "tar": tar_of,
    "tar.gz": lambda m: tar_of(m, "w:gz"),
    "tar.bz2": lambda m: tar_of(m, "w:bz2"),
    "tar.xz": lambda m: tar_of(m, "w:xz"),
    "7z": sevenzip_of,
    "7z zstd": lambda m: sevenzip_of(m, filters=[{"id": py7zr.FILTER_ZSTD, "level": 3}]),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_every_kind_gives_its_members_in_order(maker: str) -> None:
    files = {"b/ü.jpg": NOISE, "a.jpg": b"x", "empty": b"", "big": random.Random(1).randbytes(3 * MIB + 17)}
    got = members_of(MAKERS[maker](files))
    assert contents(got) == {f"a!{name}": data for name, data in files.items()}
    assert [m.origin for m in got if m.data] == ["a!b/ü.jpg", "a!a.jpg", "a!big"]
    assert [m.size_bytes for m in got] == [len(m.data or b"") for m in got]


@pytest.mark.parametrize("maker", MAKERS)
def test_kind_comes_from_content(maker: str) -> None:
    expected = maker.partition(" ")[0].removeprefix("tar.")
    assert archive_kind(MAKERS[maker]({"a": NOISE})[:512]) == expected


def test_other_content_is_no_archive() -> None:
    zipped = zip_of({"a": b"1"})
    for data in (b"", b"PK", bytes(2048), b"\xff\xd8\xff" + NOISE, b"BZhello, world", b"7" * 600):
        assert archive_kind(data, data) is None
    assert archive_kind(b"\xff\xd8\xff\xe0" + NOISE, zipped) is None, "a JPEG with a zip behind it is a picture"
    v7 = bytearray(tar_of({"a": b"1"})[:512])
    v7[257:265] = bytes(8)
    v7[148:156] = b"%06o\0 " % (sum(v7[:148]) + 256 + sum(v7[156:]))
    assert archive_kind(bytes(v7)) == "tar", "a tar from before POSIX has no magic"


def test_nested_archives_of_all_kinds_in_one_another() -> None:
    inner = b"".join
    data = inner([NOISE])
    for number, make in enumerate((zip_of, tar_of, MAKERS["tar.gz"], sevenzip_of, MAKERS["tar.xz"])):
        data = make({f"{number}.bin": data, f"side{number}.jpg": bytes([number])})
    got = contents(members_of(data))
    assert got["a!4.bin!3.bin!2.bin!1.bin!0.bin"] == NOISE
    assert got["a!4.bin!3.bin!side2.jpg"] == b"\2"
    assert len(got) == 6


def test_a_large_inner_archive_goes_to_a_temporary_file_not_to_memory() -> None:
    blob = zip_of({f"{i}.bin": random.Random(i).randbytes(MIB) for i in range(80)}, zipfile.ZIP_STORED)
    outer = zip_of({"inner.zip": blob}, zipfile.ZIP_STORED)
    del blob
    tracemalloc.start()
    count = sum(m.size_bytes for m in expand(lambda: io.BytesIO(outer), "a", "zip"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 80 * MIB
    # BytesIO shares the outer's bytes; the spool holds up to 64 MiB, and copies itself once to roll over
    assert peak < 160 * MIB


def test_a_single_compressed_file() -> None:
    for pack, name in ((gzip.compress, "p.tif.gz"), (bz2.compress, "p.tif.bz2"), (lzma.compress, "p.tif.xz")):
        kind = archive_kind(pack(NOISE)[:512])
        assert kind is not None
        got = list(expand(lambda pack=pack: io.BytesIO(pack(NOISE)), f"d/{name}", kind))
        assert [(m.origin, m.data) for m in got] == [(f"d/{name}!p.tif", NOISE)]
    inside = zip_of({"x": b"1"})
    assert contents(members_of(gzip.compress(inside))) == {"a!content!x": b"1"}


def test_a_zip_behind_other_data_and_with_a_comment() -> None:
    for front in (b"#!/bin/sh\n" + NOISE, b"MZ" + NOISE):
        out = io.BytesIO(zip_of({"x.jpg": NOISE, "y.jpg": b"1"}))
        with zipfile.ZipFile(out, "a") as archive:
            archive.comment = b"PK\5\6 a comment that looks like an end" + bytes(40)
        assert contents(members_of(front + out.getvalue())) == {"a!x.jpg": NOISE, "a!y.jpg": b"1"}
        nested = zip_of({"setup.exe": front + out.getvalue()})
        assert contents(members_of(nested)) == {"a!setup.exe!x.jpg": NOISE, "a!setup.exe!y.jpg": b"1"}


def test_zip64(monkeypatch: pytest.MonkeyPatch) -> None:
    # the writer then uses the 64-bit records for everything
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    archive = zip_of({"x.jpg": NOISE, "y.jpg": b"1" * 100})
    monkeypatch.undo()
    assert b"PK\6\6" in archive
    assert b"PK\6\7" in archive
    assert contents(members_of(archive)) == {"a!x.jpg": NOISE, "a!y.jpg": b"1" * 100}
    assert contents(members_of(b"#! " + archive)) == {"a!x.jpg": NOISE, "a!y.jpg": b"1" * 100}


def test_zip_names() -> None:
    plain = zip_of({"caf_.jpg": b"1"}, zipfile.ZIP_STORED)
    assert contents(members_of(plain.replace(b"caf_", b"caf\x82"))) == {"a!café.jpg": b"1"}  # code page 437
    utf8 = zip_of({"caf\u00e9.jpg": b"1"}, zipfile.ZIP_STORED)
    assert contents(members_of(utf8)) == {"a!café.jpg": b"1"}
    broken = utf8.replace("é".encode(), b"\xff\xfe")
    assert contents(members_of(broken)) == {"a!caf\\xff\\xfe.jpg": b"1"}


def test_unsafe_and_odd_names_are_only_names() -> None:
    names = ["/etc/passwd", "../../up.jpg", "C:\\x.jpg", "a\nb", "x" * 3000, "!", "a//b", "./c"]
    for make in (zip_of, tar_of):
        got = contents(members_of(make({name: name.encode() for name in names})))
        assert got == {f"a!{name}": name.encode() for name in names}


def test_unsafe_names_in_a_7z() -> None:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        archive.set_encoded_header_mode(False)
        for name in ("aaaaaaaaa", "bbbb.jpg", "same1.jpg", "same2.jpg"):
            archive.writestr(name, name)
    # py7zr refuses to write such names: change them in the header, and its checksums (7zFormat.txt, "SignatureHeader")
    raw = out.getvalue()
    offset, size = struct.unpack_from("<2Q", raw, 12)
    header = raw[32 + offset : 32 + offset + size]
    for old, new in (("aaaaaaaaa", "../up.jpg"), ("bbbb.jpg", "/bbb.jpg"), ("same2.jpg", "same1.jpg")):
        assert old.encode("utf-16le") in header
        header = header.replace(old.encode("utf-16le"), new.encode("utf-16le"))
    start = struct.pack("<2QL", offset, size, zlib.crc32(header))
    raw = raw[:8] + struct.pack("<L", zlib.crc32(start)) + start + raw[32 : 32 + offset] + header
    assert contents(members_of(raw)) == {
        "a!../up.jpg": b"aaaaaaaaa",
        "a!/bbb.jpg": b"bbbb.jpg",
        "a!same1.jpg": b"same1.jpg",
        "a!same1.jpg#2": b"same2.jpg",
    }


def test_duplicate_names_are_both_accounted() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("x", b"1"), ("x#2", b"2"), ("x", b"3"), ("x", b"4")):
            entry = tarfile.TarInfo(name)
            entry.size = 1
            archive.addfile(entry, io.BytesIO(data))
    assert contents(members_of(out.getvalue())) == {"a!x": b"1", "a!x#2": b"2", "a!x#3": b"3", "a!x#4": b"4"}


def test_times() -> None:
    moment = datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert [m.modified_at for m in members_of(tar_of({"x": b"1"}))] == [moment]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("dos", (2020, 9, 13, 12, 26, 40)), b"1")
        exact = zipfile.ZipInfo("utc", (2000, 1, 1, 0, 0, 0))
        exact.extra = struct.pack("<2HBl", 0x5455, 5, 1, 1_600_000_000)
        archive.writestr(exact, b"1")
        ntfs = zipfile.ZipInfo("ntfs", (2000, 1, 1, 0, 0, 0))
        ntfs.extra = struct.pack("<2H4x2H3Q", 10, 32, 1, 24, (1_600_000_000 + 11_644_473_600) * 10**7, 0, 0)
        archive.writestr(ntfs, b"1")
        never = zipfile.ZipInfo("never")
        archive.writestr(never, b"1")
    raw = out.getvalue().replace(struct.pack("<H", 0x21), struct.pack("<H", 0))  # 1980-01-01 to 1980-00-00
    assert [m.modified_at for m in members_of(raw)] == [moment, moment, moment, None]
    assert [m.modified_at for m in members_of(tar_of({"x": b""}, mtime=1e15))] == [None]
    written = members_of(sevenzip_of({"x": b"1"}))[0].modified_at
    assert written is None or abs((datetime.now(UTC) - written).total_seconds()) < 3600


def test_links_and_special_files_have_a_reason_and_directories_none() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind in (("d", "5"), ("soft", "2"), ("hard", "1"), ("pipe", "6"), ("device", "3")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind.encode(), "x"
            archive.addfile(entry)
        archive.addfile(tarfile.TarInfo("x"))
    expected: dict[str, object] = dict.fromkeys(["a!soft", "a!hard", "a!pipe", "a!device"], "not_a_file")
    assert contents(members_of(out.getvalue())) == {**expected, "a!x": b""}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        zipped.writestr("d/", b"")
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        zipped.writestr(link, "x")
    assert contents(members_of(out.getvalue())) == {"a!link": "not_a_file"}


def test_clutter_is_left_out() -> None:
    files = {"__MACOSX/._x.jpg": b"1", "d/.DS_Store": b"1", "d/Thumbs.db": b"1", "._y": b"1", ".hidden.jpg": b"2"}
    for make in (zip_of, tar_of, sevenzip_of):
        assert contents(members_of(make(files))) == {"a!.hidden.jpg": b"2"}


@pytest.mark.parametrize("maker", MAKERS)
def test_skipped_members_are_accounted_without_bytes(maker: str) -> None:
    asked = []

    def skip(origin: str, size: int) -> bool:
        asked.append((origin, size))
        return origin in {"a!1", "a!3"}

    got = members_of(MAKERS[maker]({str(i): NOISE for i in range(4)}), skip=skip)
    assert [(m.origin, m.data is None, m.error) for m in got] == [(f"a!{i}", i in {1, 3}, None) for i in range(4)]
    assert [m.size_bytes for m in got] == [len(NOISE)] * 4
    assert asked == [(f"a!{i}", len(NOISE)) for i in range(4)]


def test_skipped_members_of_a_zip_and_a_tar_are_not_read() -> None:
    class Counted(io.BytesIO):
        read_bytes = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            Counted.read_bytes += len(data)
            return data

    files = {str(i): random.Random(i).randbytes(8 * MIB) for i in range(2)}
    for make, kind in ((zip_of, "zip"), (tar_of, "tar")):
        Counted.read_bytes = 0
        archive = make(files)
        assert len(list(expand(lambda archive=archive: Counted(archive), "a", kind, skip=lambda *_: True))) == 2
        assert Counted.read_bytes < 4 * MIB


def test_encrypted_archives() -> None:
    zipped = bytearray(zip_of({"x": NOISE, "y": b"1"}))
    at = zipped.find(b"PK\1\2")
    zipped[at + 8] |= 1
    assert contents(members_of(bytes(zipped))) == {"a!x": "encrypted", "a!y": b"1"}
    secret = sevenzip_of({"x": NOISE}, password="p")
    assert contents(members_of(secret)) == {"a!x": "encrypted"}
    assert contents(members_of(sevenzip_of({"x": NOISE}, password="p", header_encryption=True))) == {"a": "encrypted"}


def test_unknown_compression_method() -> None:
    zipped = zip_of({"x": NOISE, "y": b"1"})
    at = zipped.find(b"PK\1\2")
    assert contents(members_of(zipped[: at + 10] + b"\x63\0" + zipped[at + 12 :])) == {
        "a!x": "unsupported_format",
        "a!y": b"1",
    }


def test_7z_without_py7zr(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = sevenzip_of({"x": b"1"})
    monkeypatch.setitem(sys.modules, "py7zr", None)
    (member,) = members_of(zip_of({"in.7z": archive}))
    assert member.error is not None
    assert (member.origin, member.error.reason) == ("a!in.7z", "unsupported_format")
    assert "imagelake[sevenzip]" in member.error.message


@pytest.mark.parametrize("maker", ["zip", "zip stored", "zip bzip2", "zip lzma", "7z"])
def test_a_damaged_member_does_not_take_the_others_with_it(maker: str) -> None:
    files = {str(i): random.Random(i).randbytes(4000) for i in range(3)}
    archive = bytearray(MAKERS[maker](files))
    archive[5800 if maker != "7z" else 6000] ^= 0x55
    got = contents(members_of(bytes(archive)))
    assert got["a!0"] == files["0"]
    assert got["a!1"] == "corrupt"
    assert got["a!2"] in ([files["2"]] if maker != "7z" else [files["2"], "corrupt"])
    assert len(got) == 3


def test_sizes_that_lie() -> None:
    zipped = zip_of({"x": b"a" * 1000})
    at = zipped.find(b"PK\1\2")
    for declared in (10, 100_000):
        lied = zipped[: at + 24] + struct.pack("<L", declared) + zipped[at + 28 :]
        assert contents(members_of(lied)) == {"a!x": "corrupt"}


@pytest.mark.parametrize("maker", MAKERS)
def test_a_truncated_archive_ends_with_one_reason_for_itself(maker: str) -> None:
    files = {str(i): random.Random(i).randbytes(30_000) for i in range(4)}
    archive = MAKERS[maker](files)
    for share in (0.2, 0.7, 0.9):
        members = members_of(archive[: int(len(archive) * share)])
        got = contents(members)
        assert members[-1].origin == "a"
        assert got.pop("a") == "corrupt_archive"
        for origin, data in got.items():
            assert data == files[origin.removeprefix("a!")]
        if share > 0.6 and "tar" in maker and "bz2" not in maker:
            assert len(got) >= 2


def test_a_tar_that_is_damaged_in_the_middle_does_not_pass_for_its_end() -> None:
    archive = bytearray(tar_of({"x": NOISE, "y": NOISE, "z": NOISE}))
    archive[512 + 5120 + 150] ^= 0xFF  # the checksum of the second header
    assert contents(members_of(bytes(archive))) == {"a!x": NOISE, "a": "corrupt_archive"}


def test_a_wrong_checksum_at_the_end_of_a_gzip() -> None:
    archive = bytearray(tar_of({"x": NOISE}, "w:gz"))
    archive[-6] ^= 0xFF
    assert contents(members_of(bytes(archive))) == {"a!x": NOISE, "a": "corrupt_archive"}


def test_garbage_behind_any_magic_is_one_reason() -> None:
    for magic in (b"PK\3\4", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"BZh91AY&SY"):
        for seed in range(20):
            junk = magic + random.Random(seed).randbytes(3000)
            got = contents(members_of(junk))
            assert set(got.values()) <= {"corrupt_archive"}, got
            assert len(got) == 1


def test_flipped_bits_never_raise() -> None:
    random_source = random.Random(3)
    inner = zip_of({"deep.jpg": NOISE})
    for make in MAKERS.values():
        whole = make({"x": NOISE, "in.zip": inner, "y": b"1" * 3000})
        for _ in range(40):
            damaged = bytearray(whole)
            for _ in range(random_source.randint(1, 4)):
                damaged[random_source.randrange(10, len(damaged))] ^= 1 << random_source.randrange(8)
            if kind := archive_kind(bytes(damaged[:1024])):
                got = list(expand(lambda damaged=damaged: io.BytesIO(damaged), "a", kind))
                assert got


def test_the_file_cannot_be_opened_or_read() -> None:
    def missing() -> BinaryIO:
        raise FileNotFoundError(2, "gone")

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError("reset by peer")

    for kind in ("zip", "tar", "gz", "bz2", "xz", "7z"):
        for opener in (missing, lambda: Broken(NOISE)):
            (member,) = expand(opener, "a", kind)
            assert member.error is not None
            assert (member.origin, member.error.reason) == ("a", "unreadable")


def test_the_file_is_closed_also_when_the_reader_stops_early() -> None:
    archive = zip_of({"x": b"1", "y": zip_of({"z": b"2"})})
    for count in (1, 2, 3):
        file = io.BytesIO(archive)
        stream = expand(lambda file=file: file, "a", "zip")
        for _ in range(count):
            next(stream, None)
        stream.close()
        assert file.closed


def test_depth_limit() -> None:
    data = b"leaf"
    for level in range(9):
        data = zip_of({f"{level}.zip": data, f"{level}.jpg": b"x"})
    got = contents(members_of(data))
    assert got["a!8.zip!7.zip!6.zip!5.zip!4.zip!3.zip!2.zip!1.zip"] == "archive_too_deep"
    assert sum(value == b"x" for value in got.values()) == 8
    assert contents(members_of(data, ArchiveLimits(depth=9)))[
        "a!8.zip!7.zip!6.zip!5.zip!4.zip!3.zip!2.zip!1.zip!0.zip"
    ] == (b"leaf")


def test_an_archive_that_holds_itself_ends() -> None:
    # Not a true quine: an opener for which every level is the same archive, which is what a quine looks like.
    data = zip_of({"r.zip": b"PK\3\4 will be replaced"}, zipfile.ZIP_STORED)
    for _ in range(30):
        data = zip_of({"r.zip": data}, zipfile.ZIP_STORED)
    got = contents(members_of(data))
    assert got == {"a" + "!r.zip" * 8: "archive_too_deep"}


def test_member_count_limit() -> None:
    inner = zip_of({str(i): b"1" for i in range(6)})
    members = members_of(tar_of({"1": inner, "2": inner}), ArchiveLimits(members=9))
    assert members[-1].error is not None
    assert (members[-1].origin, members[-1].error.reason) == ("a", "archive_too_many_members")
    assert len(members) == 8


def test_total_size_limit_counts_every_level() -> None:
    inner = zip_of({"x": NOISE, "y": NOISE}, zipfile.ZIP_STORED)
    for make in (zip_of, tar_of, MAKERS["tar.gz"], sevenzip_of):
        got = contents(members_of(make({"in.zip": inner}), ArchiveLimits(total_bytes=len(inner) + 9000)))
        assert got == {"a!in.zip!x": NOISE, "a": "archive_too_large"}


@pytest.mark.parametrize("maker", MAKERS)
def test_a_picture_that_is_too_large_does_not_stop_the_archive(maker: str) -> None:
    files = {"1": b"1", "2": NOISE, "3": b"3"}
    got = contents(members_of(MAKERS[maker](files), ArchiveLimits(picture_bytes=4999)))
    assert got == {"a!1": b"1", "a!2": "member_too_large", "a!3": b"3"}
    assert contents(members_of(MAKERS[maker](files), ArchiveLimits(picture_bytes=5000)))["a!2"] == NOISE


def test_an_inner_archive_that_is_too_large() -> None:
    inner = zip_of({"x": NOISE}, zipfile.ZIP_STORED)
    for limit, expected in ((len(inner) - 1, {"a!in.zip": "member_too_large"}), (len(inner), {"a!in.zip!x": NOISE})):
        for make in MAKERS.values():
            got = contents(members_of(make({"in.zip": inner}), ArchiveLimits(archive_bytes=limit, picture_bytes=6000)))
            assert got == expected


@pytest.mark.parametrize("maker", ["zip", "zip bzip2", "zip lzma", "tar.gz", "tar.bz2", "tar.xz", "7z", "7z zstd"])
def test_bombs_are_found_while_streaming(maker: str) -> None:
    bomb = MAKERS[maker]({"ok.jpg": NOISE, "bomb": bytes(80 * MIB), "after": b"1"})
    for limits in (ArchiveLimits(ratio=100), ArchiveLimits(ratio=100, picture_bytes=1 << 40)):
        tracemalloc.start()
        got = contents(members_of(bomb, limits))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert got == {"a!ok.jpg": NOISE, "a": "archive_ratio"}
        assert peak < 70 * MIB


def test_the_ratio_counts_above_its_floor_only() -> None:
    flat = {"flat.bmp": bytes(2 * MIB)}
    assert contents(members_of(zip_of(flat), ArchiveLimits(ratio=10))) == {"a!flat.bmp": bytes(2 * MIB)}
    limits = ArchiveLimits(ratio=10, ratio_floor_bytes=MIB)
    assert contents(members_of(zip_of(flat), limits)) == {"a": "archive_ratio"}


def test_nested_bombs_that_keep_each_ratio_low_end_early() -> None:
    layer = zip_of({"z": bytes(9 * MIB)})  # below the floor of the ratio of one member
    for _ in range(3):
        layer = zip_of({f"{i}.zip": layer for i in range(12)})
    members = members_of(layer)
    assert members[-1].error is not None
    assert (members[-1].origin, members[-1].error.reason) == ("a", "archive_ratio")
    assert len(members) < 40


def test_overlapping_members_of_one_zip_end_early() -> None:
    """The construction of Fifield, "A better zip bomb" (WOOT 2019): many records, one body."""
    body = zip_of({"x": bytes(9 * MIB)})
    at = body.find(b"PK\1\2")
    end = body.rfind(b"PK\5\6")
    record, count = body[at:end], 60
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(record) * count, at, 0)
    members = members_of(body[:at] + record * count + tail)
    assert members[-1].error is not None
    assert members[-1].error.reason == "archive_ratio"
    assert len(members) < 40


def test_a_tar_header_that_claims_much_or_negative_memory() -> None:
    def header(kind: bytes, size: bytes) -> bytes:
        block = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT)[:512])
        block[156:157], block[124:136] = kind, size
        block[148:156] = b"        "
        block[148:156] = b"%06o\0 " % sum(block)
        return bytes(block)

    huge = b"%011o\0" % (1 << 32)
    for kind in (b"x", b"L", b"g"):
        raw = gzip.compress(header(kind, huge) + bytes(4 * MIB))
        (member,) = members_of(raw)
        assert member.error is not None
        assert (member.error.reason, "claims more" in member.error.message) == ("corrupt_archive", True)
    for kind, low in itertools.product((b"0", b"x", b"L"), (b"\xff\x00", b"\x00\x00", b"\xf0\x00")):
        negative = b"\xff" * 10 + low
        raw = tar_of({"first": b"1"})[:1024] + header(kind, negative) + bytes(1024)
        for archive in (raw, gzip.compress(raw)):
            got = contents(members_of(archive))
            assert got["a!first"] == b"1"
            assert got["a"] == "corrupt_archive"


def test_a_zip_of_many_members_is_not_held_in_memory() -> None:
    count = 60_000
    name = b"d/%06d.jpg"
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0x21, zlib.crc32(b""), 0, 0, 0, 0)
    records = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0x21, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0) + name % i
        for i in range(count)
    )
    archive = local + records + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(records), len(local), 0)
    tracemalloc.start()
    found = sum(m.data == b"" for m in expand(lambda: io.BytesIO(archive), "a", "zip"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == count
    # the digests of the names (about 70 bytes each) and the buffers; `zipfile` takes about 700 bytes a member
    assert peak < 12 * MIB


def test_a_zip_that_lists_fewer_members_than_it_declares() -> None:
    archive = bytearray(zip_of({"x": NOISE}))
    at = archive.rfind(b"PK\5\6")
    archive[at + 8] = archive[at + 10] = 2
    assert contents(members_of(bytes(archive))) == {"a!x": NOISE, "a": "corrupt_archive"}


def test_a_7z_of_several_blocks() -> None:
    out = io.BytesIO()
    for block in range(3):
        out.seek(0)
        with py7zr.SevenZipFile(out, "a" if block else "w") as archive:
            for number in range(2):
                archive.writestr(NOISE + bytes([block, number]), f"{block}{number}")
    expected = {f"a!{b}{n}": NOISE + bytes([b, n]) for b in range(3) for n in range(2)}
    assert contents(members_of(out.getvalue())) == expected
    known = members_of(out.getvalue(), skip=lambda origin, _: origin != "a!21")
    assert [m.data for m in known] == [None] * 5 + [expected["a!21"]]
