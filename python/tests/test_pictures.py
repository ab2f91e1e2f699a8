"""Pictures show what is there, and the same as the command draws."""

import io
import json
import pickle
import subprocess

import numpy as np
import pytest

import bitquilt as bq


def opened(png):
    """The pixels of a PNG file."""
    image = pytest.importorskip("PIL.Image")
    return np.asarray(image.open(io.BytesIO(png)))


def test_latents_and_samples_are_drawn_bit_by_bit(index, digits):
    picture = bq.Latents(digits[:4]).picture(scale=3, columns=2)
    # Two pixels of gray between tiles.
    assert repr(picture) == "Picture(50x50)" and picture.pixels.shape == (50, 50)
    assert np.array_equal(picture.pixels[1:24:3, 27:50:3], 255 * digits[1])
    assert np.array_equal(np.asarray(picture, dtype=np.int64)[26::3, :24:3], 255 * digits[2, :, :].astype(int))
    samples = index.generate(5, windows="3x3")
    assert np.array_equal(samples.picture(scale=1, columns=1).pixels[:8], 255 * samples.bits[0, ..., 0])
    assert bq.Latents(digits).picture(limit=9, scale=1).pixels.shape == (28, 28)
    assert samples._repr_png_().startswith(b"\x89PNG")


def test_codes_are_drawn_as_gray_or_by_the_model_that_is_handed_in(digits, tmp_path):
    codes = np.stack([digits, 1 - digits, digits * 0], axis=-1)
    latents = bq.Latents(codes[:2], layout="nhwc")
    assert np.array_equal(np.unique(latents.picture(scale=1).pixels[:, :8]), [85])
    ramp = np.linspace(0, 1, 16 * 16, dtype=np.float32).reshape(16, 16)
    for image, expected in [
        (lambda bits: ramp[None] * bits[0, 0, 0, 0], 255 * ramp * codes[1, 0, 0, 0] + 0.5),
        (lambda bits: np.stack([ramp, ramp, ramp])[None], np.stack([255 * ramp + 0.5] * 3, -1)),
        (lambda bits: np.full((1, 16, 16, 3), 7, np.uint8), np.full((16, 16, 3), 7)),
        (lambda bits: np.full((16, 16), True), np.full((16, 16), 255)),
        (lambda bits: np.full((1, 1, 16, 16), 3.5), np.full((16, 16), 255)),
        (lambda bits: np.full((1, 16, 16), 300), np.full((16, 16), 255)),
    ]:
        found = latents.picture(decode=image, scale=1, columns=1).pixels[-16:]
        assert np.array_equal(found, expected.astype(np.uint8))
    for wrong in [lambda bits: np.zeros((2, 2, 2, 2)), lambda bits: np.zeros(4), lambda bits: np.full((4, 4), "x")]:
        with pytest.raises(bq.InputError, match="decode"):
            latents.picture(decode=wrong)
    with pytest.raises(ZeroDivisionError):
        latents.picture(decode=lambda bits: 1 / 0)
    sizes = iter([4, 5])
    with pytest.raises(bq.InputError, match="one size"):
        latents.picture(decode=lambda bits: np.zeros((1, 4, next(sizes))))
    for wrong in [{"level": 1}, {"limit": 0}, {"scale": 0}, {"columns": 0}, {"columns": -1}, {"scale": 10**6}]:
        with pytest.raises(bq.InputError):
            latents.picture(**wrong)


def test_maps_are_those_of_the_command(index, command, tmp_path):
    samples = index.generate(3, windows="3x3", seed=4)
    samples.save(tmp_path / "samples")
    drawn = [command, "trace", index.path, "samples", "--png", "map.png", "--png-sources", "2"]
    subprocess.run(drawn, cwd=tmp_path, check=True, capture_output=True)
    trace = index.trace(samples)
    picture = trace.picture(sources=2)
    assert picture._repr_png_() == (tmp_path / "map.png").read_bytes()
    picture.save(tmp_path / "mine.png")
    assert (tmp_path / "mine.png").read_bytes() == picture._repr_png_() and np.array_equal(opened(picture._repr_png_()), picture.pixels)
    # A row of the map for each sample, under the same heading.
    one = trace[1].picture(sources=2).pixels
    assert one.shape[1:] == picture.pixels.shape[1:] and one.shape[0] < picture.pixels.shape[0]
    assert trace[1]._repr_png_() and trace._repr_png_() == trace.picture()._repr_png_()
    white = trace[0].picture(decode=lambda bits: np.ones((1, 2, 2)))
    assert (white.pixels == 255).mean() > (trace[0].picture().pixels == 255).mean()
    with pytest.raises(bq.InputError, match="levels"):
        trace.picture(level=3)
    for wrong in [{"limit": 0}, {"sources": -1}, {"sources": 10**6}, {"level": -1}]:
        with pytest.raises(bq.InputError):
            trace.picture(**wrong)
    trace.save(tmp_path / "trace.json")
    for kept in [pickle.loads(pickle.dumps(trace)), bq.Trace.load(tmp_path / "trace.json")]:
        assert kept.document == trace.document
        for drawn in [kept.picture, kept.page]:
            with pytest.raises(bq.InputError, match="trace the samples again"):
                drawn()
    for text in ["no trace", "[1]", "{}"]:
        (tmp_path / "wrong").write_text(text)
        with pytest.raises(bq.InputError, match="wrong: expected a trace file"):
            bq.Trace.load(tmp_path / "wrong")


def test_a_page_is_that_of_the_command(index, command, tmp_path):
    samples = index.generate(3, windows="3x3", seed=4)
    samples.save(tmp_path / "samples")
    subprocess.run([command, "trace", index.path, "samples", "--html", "page.html"], cwd=tmp_path, check=True, capture_output=True)
    theirs = (tmp_path / "page.html").read_text()
    page = index.trace(bq.Samples.load(tmp_path / "samples")).page()

    def shown(page):
        data = json.loads(page.split('id="data">')[1].split("</script>")[0])
        return {**data, "trace": {**data["trace"], "index": "", "samples_file": ""}}

    assert shown(page) == shown(theirs)
    page.save(tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == page and "&lt;!DOCTYPE html&gt;" in page._repr_html_()
    white = index.trace(samples).page(decode=lambda bits: np.ones((1, 2, 2)))
    assert shown(white)["trace"] == shown(theirs)["trace"] and shown(white)["samples"] != shown(theirs)["samples"]


def test_maps_show_the_verdicts(tmp_path):
    noise = np.random.default_rng(1).integers(0, 2, (300, 8, 8))
    index = bq.build(noise[:200], tmp_path / "noise.index", depth="7x7")
    judged = index.trace(noise[[3, 250]], against=noise[200:250], false_alarms=0.05)
    plain = index.trace(noise[[3, 250]])
    assert [traced.verdict["copy"] for traced in judged] == [True, False]
    # What the sample is most likely a copy of has a place of its own.
    assert judged.picture().pixels.shape[1] > plain.picture().pixels.shape[1]
