"""Lists of checksums: read as sha256sum writes them, refused where a name leads elsewhere, and no file trusted by its name."""

import contextlib
import hashlib
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdana_lite.checksums import missing_files, read_checksums, sha256_of

OF_NOTHING = hashlib.sha256().hexdigest()


@pytest.fixture
def folder(tmp_path):
    for name, content in {"table.csv": b"a,b\n", "sub/one.dat": bytes(range(256)) * 300, "sub/empty.dat": b""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="sha256sum is not installed")
def test_lists_are_read_and_files_are_summed_as_sha256sum_does(folder, tmp_path_factory):
    names = ["table.csv", "sub/one.dat", "sub/empty.dat"]
    listed = tmp_path_factory.mktemp("list") / "SHA256SUMS.txt"
    listed.write_bytes(subprocess.run(["sha256sum", *names], cwd=folder, capture_output=True, check=True).stdout)
    assert read_checksums(listed) == {name: sha256_of(folder / name) for name in names}


@pytest.mark.parametrize("separator", [" ", "  ", " *"])
def test_one_space_two_or_a_star_lie_between_checksum_and_name(tmp_path, separator):
    (tmp_path / "list").write_text(f"{OF_NOTHING}{separator}records100/00000/00001_lr.dat\n")
    assert read_checksums(tmp_path / "list") == {"records100/00000/00001_lr.dat": OF_NOTHING}


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "..", "a\\..\\x", "C:x", "http://elsewhere/x", "a\0b"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    (tmp_path / "list").write_text(f"{OF_NOTHING} harmless\n{OF_NOTHING} {name}\n")
    with pytest.raises(ValueError, match=r"line 2 names .* leads out of the folder"):
        read_checksums(tmp_path / "list")


@pytest.mark.parametrize(
    "text", ["<html>log in</html>\n", f"{OF_NOTHING}\n", f"{OF_NOTHING[:-1]} a\n", "\n", f"{OF_NOTHING} a\n\n"]
)
def test_what_is_no_list_is_refused_with_the_line(tmp_path, text):
    (tmp_path / "list").write_text(text)
    with pytest.raises(ValueError, match=r"line \d is .* not a SHA-256, a space and a file name"):
        read_checksums(tmp_path / "list")


def test_a_list_that_ends_within_a_line_is_refused(tmp_path):
    (tmp_path / "list").write_text(f"{OF_NOTHING} one.dat\n{OF_NOTHING} two.d")
    with pytest.raises(ValueError, match=r"ends in the middle of a line .*two\.d"):
        read_checksums(tmp_path / "list")


@given(st.binary(max_size=300))
def test_any_bytes_give_a_list_or_a_value_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any bytes"
    path.write_bytes(content)
    with contextlib.suppress(ValueError):
        assert all(len(checksum) == 64 for checksum in read_checksums(path).values())


def test_missing_are_the_absent_the_damaged_and_the_truncated(folder):
    checksums = {name: sha256_of(folder / name) for name in ("table.csv", "sub/one.dat", "sub/empty.dat")}
    assert missing_files(folder, checksums) == []
    (folder / "table.csv").write_bytes(b"a,c\n")  # as long as before
    (folder / "sub/one.dat").write_bytes((folder / "sub/one.dat").read_bytes()[:-1])
    (folder / "sub/empty.dat").unlink()
    (folder / "sub/empty.dat").mkdir()  # a folder in the way is not the file
    assert missing_files(folder, checksums | {"absent": OF_NOTHING}) == [*checksums, "absent"]
