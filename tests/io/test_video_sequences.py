"""Numbered pictures and folders of pictures as videos, both ways."""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from tests import clips
from wavenetmv.errors import InputError, UsageFault
from wavenetmv.io.video import VideoReader

TIMES = [Fraction(index, 25) for index in range(12)]


def write(target, count: int = 12, **options: object) -> list[clips.Pixels]:
    given = clips.moving(count, 31, 17)
    clips.write(target, clips.timed(given, TIMES[:count]), **options)
    return given


def save(folder, *names: str) -> list[clips.Pixels]:
    given = clips.moving(len(names), 31, 17)
    for name, pixels in zip(names, given, strict=True):
        Image.fromarray(pixels).save(folder / name)
    return given


def test_numbered_pictures(tmp_path):
    given = write(tmp_path / "f_%05d.png")
    assert sorted(os.listdir(tmp_path)) == [f"f_{index:05d}.png" for index in range(1, 13)]
    info, frames, notes = clips.read(tmp_path / "f_%05d.png", rate=Fraction(24000, 1001))
    assert clips.errors(frames, given) == 0
    assert [frame.time_s for frame in frames] == [Fraction(1001 * k, 24000) for k in range(12)]
    assert (info.width, info.height, info.frame_count) == (31, 17, 12)
    assert (info.rate, info.variable_rate, info.full_range) == (Fraction(24000, 1001), False, True)
    assert info.duration_s == Fraction(1001 * 12, 24000)
    assert notes == ()


@pytest.mark.parametrize("name", ["new", "there", "there/"])
def test_folders(name, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes.txt").write_text("mine")
    given = write(f"{tmp_path}/{name}")
    assert clips.errors(clips.read(tmp_path / name)[1], given) == 0
    names = [each for each in os.listdir(tmp_path / name) if each != "notes.txt"]
    assert sorted(names)[0] == "frame_00001.png"
    assert len(names) == 12
    assert (tmp_path / "there" / "notes.txt").read_text() == "mine"


def test_other_picture_formats(tmp_path):
    given = write(tmp_path / "f_%d.bmp", 3)
    assert clips.errors(clips.read(tmp_path / "f_%d.bmp")[1], given) == 0
    write(tmp_path / "folder", 3, format_name="jpg")
    assert sorted(os.listdir(tmp_path / "folder"))[0] == "frame_00001.jpg"
    with pytest.raises(UsageFault, match="the suffix says the format already"):
        write(tmp_path / "g_%d.png", 1, format_name="jpg")
    with pytest.raises(UsageFault, match="one file for many frames"):
        write(tmp_path / "one.png", 1)


def test_order_is_that_of_the_numbers(tmp_path):
    names = ("b1.png", "b2.png", "b10.png", "c.png")
    given = save(tmp_path, *names)
    assert clips.errors(clips.read(tmp_path)[1], given) == 0
    assert clips.errors(clips.read(tmp_path / "b*.png")[1], given[:3]) == 0
    # From the lowest number there is; those with three digits are not of %02d.
    save(tmp_path, "x07.png", "x08.png", "x009.png")
    assert len(clips.read(tmp_path / "x%02d.png")[1]) == 2


def test_gaps_and_other_sizes_are_errors(tmp_path):
    save(tmp_path, "f_1.png", "f_2.png", "f_4.png")
    with pytest.raises(InputError, match=r"f_%d\.png: number 3 is missing"):
        clips.read(tmp_path / "f_%d.png")
    assert len(clips.read(tmp_path)[1]) == 3
    Image.new("RGB", (5, 6)).save(tmp_path / "f_3.png")
    text = r"f_3\.png: frames must have one size; this is 5x6, the first 31x17"
    with pytest.raises(InputError, match=text):
        clips.read(tmp_path / "f_%d.png")


def test_a_damaged_picture_comes_after_those_before_it(tmp_path):
    save(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:60])
    seen = []

    def read_all() -> None:
        with VideoReader(tmp_path) as reader:
            seen.extend(frame.time_s for frame in reader)

    with pytest.raises(InputError, match=r"3\.png: "):
        read_all()
    assert seen == TIMES[:2]


def test_notes_of_pictures(tmp_path):
    for name in ("1.png", "2.png"):
        Image.new("RGBA", (4, 4), (9, 9, 9, 9)).save(tmp_path / name)
    assert clips.read(tmp_path)[2] == ("alpha left out",)


def test_more_pixels_than_allowed(tmp_path):
    save(tmp_path, "1.png")
    with pytest.raises(InputError, match=r"1\.png: more pixels than the limit allows"):
        clips.read(tmp_path, max_pixels=526)


def test_existing_pictures_need_force_and_are_replaced_as_a_whole(tmp_path):
    write(tmp_path / "f_%03d.png", 12)
    (tmp_path / "f_x.png").write_bytes(b"mine")
    with pytest.raises(UsageFault, match=r"f_001\.png exists; --force overwrites it"):
        write(tmp_path / "f_%03d.png", 3)
    assert len(os.listdir(tmp_path)) == 13
    write(tmp_path / "f_%03d.png", 3, force=True)
    assert sorted(os.listdir(tmp_path)) == ["f_001.png", "f_002.png", "f_003.png", "f_x.png"]


def test_nothing_is_there_before_everything_is(tmp_path):
    frames = clips.timed(clips.moving(3), TIMES[:3])
    clips.write(tmp_path / "f_%d.png", frames)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    large = clips.timed(clips.moving(3, 70, 48), TIMES[:3])
    with pytest.raises(ValueError, match="frame is 70x48"):
        clips.write(tmp_path / "f_%d.png", [*frames[:2], large[2]], force=True)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_sequences_through_a_video(tmp_path):
    given = write(tmp_path / "f_%d.png", 4)
    info, frames, _ = clips.read(tmp_path / "f_%d.png", rate=Fraction(10))
    clips.write(tmp_path / "a.mkv", frames, rate=info.rate, time_base=info.time_base)
    again, made, _ = clips.read(tmp_path / "a.mkv")
    assert clips.errors(made, given) == 0
    assert again.rate == 10
    assert np.array_equal(made[3].time_s, Fraction(3, 10))
