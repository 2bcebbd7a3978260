"""Which pictures a batch has, with which settings, and what their drawings are called."""

from __future__ import annotations

import errno
import os

import pytest
from batches import draw

from layervec.batch.record import key, settings_hash
from layervec.batch.rows import gather
from layervec.errors import InputError
from layervec.settings import Settings


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def outputs(source, out="/nowhere", base=None):
    return [row.output for row in gather(str(source), str(out), base or Settings())]


def test_folder_is_mirrored_in_order_without_hidden_files_and_other_files(tmp_path):
    touch(tmp_path, "b.png", "a.jpg", "deep/er/c.WEBP", ".hidden.png", ".git/d.png", "notes.txt", "deep/x.svg")
    assert outputs(tmp_path) == ["a", "b", "deep/er/c"]


def test_output_inside_the_folder_is_no_input(tmp_path):
    touch(tmp_path, "a.png", "out/a.png", "outer/b.png")
    assert outputs(tmp_path, tmp_path / "out") == ["a", "outer/b"]


def test_output_cannot_be_the_folder_itself(tmp_path):
    touch(tmp_path, "a.png")
    with pytest.raises(InputError, match="name another output"):
        outputs(tmp_path, tmp_path)


def test_pattern_is_mirrored_from_its_first_wildcard(tmp_path):
    touch(tmp_path, "in/x/a.png", "in/y/b.png", "in/y/c.jpg", "in/d.png")
    assert outputs(tmp_path / "in" / "*" / "*.png") == ["x/a", "y/b"]
    assert outputs(tmp_path / "in" / "**" / "*.png") == ["d", "x/a", "y/b"]


def test_a_folder_with_a_bracket_in_its_name_is_a_folder(tmp_path):
    touch(tmp_path, "in [1]/a.png")
    assert outputs(tmp_path / "in [1]") == ["a"]


def test_names_that_would_be_the_same_keep_their_endings(tmp_path):
    touch(tmp_path, "a.png", "a.jpg", "b.png", "c/B.png", "c/b.gif", "a.png.webp")
    assert sorted(outputs(tmp_path)) == ["a.jpg", "a.png", "a.png.webp", "b", "c/B.png", "c/b.gif"]


def test_a_picture_called_index_leaves_that_name_to_the_page(tmp_path):
    touch(tmp_path, "index.png", "deep/index.png")
    assert outputs(tmp_path) == ["deep/index", "index.png"]


def test_a_pattern_passes_over_its_output_and_that_of_other_batches(tmp_path):
    touch(tmp_path, "a.png", "out/a.png", "other/a.png", "other/.layervec/lock", "more/a.png")
    assert outputs(tmp_path / "**" / "*.png", tmp_path / "out") == ["a", "more/a"]
    assert outputs(tmp_path / "*" / "*.png", tmp_path / "out") == ["more/a", "other/a"]
    assert outputs(tmp_path, tmp_path / "out") == ["a", "more/a"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**", ["a", "x/a", "x/y/a"]),
        ("**/x/**/*.png", ["a", "y/a"]),
        ("x/**/a.png", ["a", "y/a"]),
        ("**/**/?.png", ["a", "x/a", "x/y/a"]),
        ("*/**/y/*", ["x/y/a"]),
    ],
)
def test_two_stars_stand_for_any_number_of_folders(tmp_path, monkeypatch, pattern, found):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "a.png", "x/a.png", "x/y/a.png", "x/y/b.txt")
    assert [name.removeprefix("x/") if pattern.startswith("**/x") else name for name in outputs(pattern)] == found


def test_links_that_run_in_circles_end(tmp_path):
    touch(tmp_path, "in/a.png")
    for name in ("one", "other", "third"):
        (tmp_path / "in" / name).symlink_to(".")
    assert outputs(tmp_path / "in/**/*.png") == ["a"]


def test_of_names_that_differ_in_case_alone_the_second_is_refused(tmp_path):
    touch(tmp_path, "a.PNG", "A.png", "b.png")
    if not (tmp_path / "a.png").exists():
        first, second, other = sorted(gather(str(tmp_path), "/nowhere", Settings()), key=lambda row: row.output)
        assert (first.output, first.refused, other.refused) == ("A.png", "", "")
        assert second.refused == f"{second.image} and {first.image} would be drawn to names that differ in case alone."


@pytest.mark.parametrize("source", ["in", "in/**/*.png"])
def test_a_folder_that_cannot_be_read_is_refused_alone(tmp_path, monkeypatch, source):
    touch(tmp_path, "in/a.png", "in/shut/b.png")
    opened = os.scandir

    def scandir(path):
        if os.path.basename(path) == "shut":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path)

    monkeypatch.setattr(os, "scandir", scandir)
    a, shut = gather(str(tmp_path / source), "/nowhere", Settings())
    assert (a.output, a.refused) == ("a", "")
    assert (shut.output, shut.refused) == ("shut/*", f"{tmp_path}/in/shut cannot be read: permission denied.")
    with pytest.raises(InputError, match="shut cannot be read: permission denied"):
        gather(str(tmp_path / "in/shut"), "/nowhere", Settings())


def test_one_picture_is_a_batch_too(tmp_path):
    assert outputs(draw(tmp_path / "a.png")) == ["a"]


def write(tmp_path, *lines):
    path = tmp_path / "list.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_list_gives_settings_and_names_by_row(tmp_path):
    (tmp_path / "masks").mkdir()
    path = write(
        tmp_path,
        "image,paths,drop_background,output,sam.points_per_side,masks,sds.steps",
        "x/a.png,12,,,,,",
        '/abs/b.png,auto,true,,8,masks,"[5, 9]"',
        "../c.png,,,elsewhere/c,,,",
        "s3://bucket/d.png,,,,,,",
    )
    a, b, c, d = gather(str(path), "/nowhere", Settings(paths=99, quality="draft"))
    assert (a.image, a.output, a.settings) == (f"{tmp_path}/x/a.png", "x/a", Settings(paths=12, quality="draft"))
    assert (b.image, b.output) == ("/abs/b.png", "abs/b")
    assert (b.settings.paths, b.settings.drop_background, b.settings.sam.points_per_side) == ("auto", True, 8)
    assert (b.settings.masks, b.settings.sds.steps) == (str(tmp_path / "masks"), (0, 5, 9))
    assert (c.output, c.settings.paths) == ("elsewhere/c", 99)
    assert (d.image, d.output) == ("s3://bucket/d.png", "bucket/d")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (("picture", "a.png"), "should have a column called 'image'"),
        (("image,path", "a.png,3"), "no setting for the column 'path'"),
        (("image,sam", "a.png,3"), "row 1: 'sam'"),
        (("image,sam.side", "a.png,3"), "no setting for the column 'sam.side'"),
        (("image,paths", "a.png,3", "b.png,none"), "row 2: 'paths'"),
        (("image,paths", ",3"), "row 1: there is no image"),
        (("image,sds.steps", "a.png," + "[" * 100_000), "row 1: 'sds.steps'"),
        (("image", "../a.png"), "has no place in the output"),
        (("image,output", "a.png,../b"), "has no place in the output"),
        (("image,output", "a.png,a\0b"), "row 1: .* has no place in the output"),
        (("image,output", "a.png,.layervec/lock"), "row 1: .* has no place in the output"),
        (("image,output", "a.png,x", "b.png,x"), "row 1 and .*row 2 would both be drawn as x"),
        (("image", "a.png", "b.png", "a.png"), "row 1 and .*row 3 would both be drawn as a.png"),
        (("image,output", "a.png,index"), "taken by the batch's own page"),
        (("image", "a.png,b.png"), "row 1: has more cells"),
        (("image",), "there are no pictures"),
    ],
)
def test_wrong_lists_are_refused_by_row_and_cause(tmp_path, lines, complaint):
    with pytest.raises(InputError, match=complaint):
        gather(str(write(tmp_path, *lines)), "/nowhere", Settings())


@pytest.mark.parametrize("name", ["missing", "missing.csv", "missing/*.png", "s4://x/y"])
def test_what_is_not_there_is_told(tmp_path, name):
    with pytest.raises(InputError, match=r"s4|missing"):
        gather(name if "://" in name else str(tmp_path / name), "/nowhere", Settings())


def test_key_changes_with_bytes_and_with_what_makes_a_drawing(tmp_path):
    plain = settings_hash(Settings())
    assert plain == settings_hash(Settings(offline=True, sam={"points_per_side": 4})), "neither makes a difference"
    assert plain != settings_hash(Settings(paths=12))
    assert key("a", plain) != key("b", plain) != key("b", "other")
    masks = tmp_path / "masks"
    touch(masks, "1.png")
    before = settings_hash(Settings(masks=str(masks)))
    (masks / "1.png").write_bytes(b"changed")
    assert before != settings_hash(Settings(masks=str(masks)))
    before = settings_hash(Settings(palette=str(masks / "1.png")))
    (masks / "1.png").write_bytes(b"again")
    assert before != settings_hash(Settings(palette=str(masks / "1.png")))
