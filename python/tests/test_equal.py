"""Python and the command send the same requests and get the same reports."""

import json
import subprocess

import numpy as np
import pytest

import bitquilt as bq


def run(command, folder, *words, allowed=(0,)):
    ran = subprocess.run([command, *map(str, words)], cwd=folder, capture_output=True, text=True)
    assert ran.returncode in allowed, ran.stderr
    return ran.stdout


@pytest.fixture
def there(index, digits, tmp_path):
    bq.Latents(digits).save(tmp_path / "digits.safetensors")
    (tmp_path / "digits.index").symlink_to(index.path)
    return tmp_path


def test_an_index_is_the_one_that_the_command_builds(command, there, index, digits):
    run(command, there, "build", "digits.safetensors", "-o", "other", "--window", "3x3", "--window", "5x5")
    other = json.loads(run(command, there, "info", "other", "--json"))
    for told in ("latents", "shape", "named", "windows", "arrays"):
        assert index.info[told] == other[told]
    assert index.info == json.loads(run(command, there, "info", "digits.index", "--json"))
    assert index.check(brute_force=True) is None
    assert index.training() == bq.Latents(digits)


def test_samples_are_byte_for_byte_those_of_the_command(command, there, index):
    options = {"windows": ["5x5", "3x3"], "seed": 7, "novel": True, "distinct": True, "temperature": 1.5, "min_count": 2}
    words = "--window 5x5 --window 3x3 --seed 7 --novel --distinct --temperature 1.5 --min-count 2 -n 20".split()
    run(command, there, "generate", "digits.index", *words, "-o", "samples")
    mine = index.generate(20, **options)
    mine.save(there / "mine")
    assert (there / "mine").read_bytes() == (there / "samples").read_bytes()
    loaded = bq.Samples.load(there / "samples")
    assert loaded.latents == mine.latents and loaded.windows == mine.windows == ["5x5", "3x3"]
    assert np.array_equal(loaded.answered_by, mine.answered_by)
    with pytest.raises(bq.InputError, match="copy"):
        loaded.save(there / "again")
    unknown = bq.Samples.load(there / "digits.safetensors")
    assert loaded.searched and not unknown.searched and len(unknown) == 60
    with pytest.raises(bq.InputError, match="no search"):
        unknown.answered_by


def test_reports_are_those_of_the_command(command, there, index, digits):
    samples = index.generate(6, windows=["3x3"])
    samples.save(there / "samples")
    traced = json.loads(run(command, there, "trace", "digits.index", "samples", "--brief", "--json"))
    mine = index.trace(samples).document
    assert {**traced, "index": "", "samples_file": ""} == {**mine, "index": "", "samples_file": ""}
    whole = json.loads(run(command, there, "trace", "digits.index", "samples", "--top", "3", "--json"))
    assert whole["samples"] == index.trace(samples, bits=True, top=3).document["samples"]
    proof = index.verify(samples)
    told = json.loads(run(command, there, "verify", "digits.index", "samples", "--json"))
    assert proof.verified and told["verified"] and told["checked"] == proof.checked
    query = json.loads(run(command, there, "query", "digits.index", "--window", "3x3", "--latent", 3, "--at", "2,2", "--json", "--top", "all"))
    postings = index.postings(3, (2, 2), "3x3", limit=None)
    assert [[int(latent), int(at)] for latent, at in zip(postings["latent"], postings["position"])] == query["postings"]
    codes = json.loads(run(command, there, "eval", "codes", "digits.safetensors", "--json"))
    assert bq.Latents.load(there / "digits.safetensors").measure() == codes
    attempts = json.loads(run(command, there, "generate", "digits.index", "--window", "3x3", "-n", 6, "-o", "six", "--json"))
    timeless = lambda attempts: [{**attempt, "seconds": 0} for attempt in attempts]
    assert timeless(samples.attempts) == timeless(attempts)
    counts = json.loads(run(command, there, "eval", "counts", "digits.index", "--held-out", "digits.safetensors", "--json"))
    assert index.measure(digits) == counts


def context(latent, row, col):
    """A 3x3 context, told plainly."""
    padded = np.pad(latent.astype(int), 1, constant_values=2)
    # Where the grid ends is part of it: on the first row too.
    return (*padded[row, col : col + 3], padded[row + 1, col], col == 7)


def test_lookups_are_what_counting_says(index, digits):
    followed = {}
    for latent in digits:
        for row in range(8):
            for col in range(8):
                counts = followed.setdefault(context(latent, row, col), [0, 0])
                counts[latent[row, col]] += 1
    others = np.random.default_rng(5).integers(0, 2, (4, 8, 8))
    found = index.lookup(others, "3x3")
    assert found.shape == (4, 8, 8, 1, 2) and found.dtype == np.uint64
    for number, latent in enumerate(others):
        for row in range(8):
            for col in range(8):
                assert found[number, row, col, 0].tolist() == followed.get(context(latent, row, col), [0, 0])


def test_samples_have_numbers_of_their_own(index):
    all_of_them = index.generate(12, windows="3x3", seed=2).bits
    assert np.array_equal(index.generate(5, first=4, windows="3x3", seed=2).bits, all_of_them[4:9])
    streamed = index.samples(windows="3x3", seed=2, batch=5)
    assert np.array_equal(np.stack([next(streamed) for _ in range(12)]), all_of_them)
    assert not np.array_equal(index.generate(12, windows="3x3", seed=3).bits, all_of_them)


def test_given_bits_stay_and_are_marked(index, digits):
    mask = np.zeros((8, 8), bool)
    mask[:4] = True
    samples = index.generate(5, windows="3x3", fixed=digits[3], mask=mask)
    assert (samples.bits[:, :4, :, 0] == digits[3, :4]).all()
    answered = samples.answered_by.reshape(5, 8, 8)
    assert (answered[:, :4] == 0).all() and (answered[:, 4:] == 1).all()


def test_all_samples_and_their_number_agree(tmp_path):
    index = bq.build(np.array([[[1, 0, 1, 1, 0, 0]], [[1, 1, 1, 0, 1, 0]]]), tmp_path / "six.index", windows=["seq:3"])
    found, proved = index.all()
    assert proved and index.count() == (len(found), True)
    assert len(np.unique(found.bits.reshape(len(found), -1), axis=0)) == len(found)
    given = np.array([[1, 1, 1, 0, 0, 0]])
    found, proved = index.all(fixed=given, mask=np.array([[True] * 3 + [False] * 3]))
    assert proved and sorted("".join(map(str, bits.ravel())) for bits in found.bits) == ["111010", "111011"]


def test_latents_left_out_lend_nothing(index, digits):
    part = index.without([0, 1, 2])
    assert part.identity != index.identity and len(part.training()) == 57
    assert part.lookup(digits[:1], "3x3").sum() < index.lookup(digits[:1], "3x3").sum()
    sources = {region.latent for traced in part.trace(digits[:3]) for region in traced.regions}
    assert sources and not sources & {0, 1, 2}


def test_pyramids_of_arrays(tmp_path, digits):
    coarse = digits.reshape(60, 4, 2, 4, 2).max(axis=(2, 4))
    pyramids = bq.Latents.pyramid([coarse, digits])
    index = bq.build(pyramids, tmp_path / "pyramids.index", windows=["3x3", "1:3x3^1x1"])
    samples = index.generate(8, min_count="1 1:2", temperature=0.8, novel="every")
    assert index.levels == [(4, 4, 1), (8, 8, 1)] and samples.level(0).shape == (8, 4, 4, 1)
    assert index.verify(samples, brute_force=True).verified
    for level, known in enumerate([coarse, digits]):
        for bits in samples.level(level)[..., 0]:
            assert not (known == bits).all(axis=(1, 2)).any()
    for proof in [index.verify(pyramids), index.verify(pyramids, window=["1:3x3^1x1", "3x3"], brute_force=True)]:
        assert proof.verified and proof.checked == 60 * 80
    under = index.generate(4, fixed=[coarse[7], None])
    assert (under.level(0)[..., 0] == coarse[7]).all()
    wide = index.generate(2, size=(8, 16))
    assert wide.level(0).shape == (2, 4, 8, 1) and index.verify(wide).verified
    assert index.lookup(pyramids[:2], "1:3x3^1x1").shape == (2, 8, 8, 1, 2)
    trace = index.trace(samples, bits=True)
    assert trace[0].region_map().shape == (8, 8, 1) and trace[0].region_map(0).shape == (4, 4, 1)


def smooth(seed, n):
    """Latents of smooth areas."""
    random = np.random.default_rng(seed)
    return (random.normal(size=(n, 12, 12)).cumsum(axis=1).cumsum(axis=2) > 0).astype(np.uint8)


def test_audits_limits_and_what_is_held_out_are_those_of_the_command(command, tmp_path):
    latents = bq.Latents(smooth(5, 500))
    latents.save(tmp_path / "smooth")
    run(command, tmp_path, "build", "smooth", "-o", "theirs", "--depth", "7x7", "--hold-out", 100)
    index = bq.build(latents, tmp_path / "mine", depth="7x7", hold_out=100)
    held_out = tmp_path / "mine.held-out.safetensors"
    assert bq.Latents.load(held_out) == bq.Latents.load(tmp_path / "theirs.held-out.safetensors") == latents[latents.drawn(100)]
    assert len(index.training()) == 400 and index.identity == bq.open(tmp_path / "theirs").identity
    with pytest.raises(bq.InputError, match="held-out.safetensors"):
        bq.build(latents, tmp_path / "mine", depth="7x7", hold_out=90)
    with pytest.raises(bq.InputError, match="500"):
        bq.build(latents, tmp_path / "more", depth="7x7", hold_out=500)
    samples = index.generate(20, windows="7x7")
    samples.save(tmp_path / "samples")
    told = ["audit", "mine", "samples", "--against", held_out, "--false-alarms", 0.05]
    theirs = json.loads(run(command, tmp_path, *told, "-o", "report", "--json"))
    audit = index.audit(samples, against=held_out, false_alarms=0.05)
    names = {"index": "", "samples_file": ""}
    assert {**audit.report, **names} == {**theirs, **names}
    audit.save(tmp_path / "again")
    assert sorted(file.name for file in (tmp_path / "again").iterdir()) == sorted(file.name for file in (tmp_path / "report").iterdir())
    drawn = lambda page: page.count("data:image/png")
    assert drawn(audit.page) == drawn((tmp_path / "report" / "index.html").read_text()) > 0
    assert (tmp_path / "again" / "index.html").read_text() == audit.page and "srcdoc" in audit._repr_html_()
    with pytest.raises(bq.InputError, match="force=True"):
        audit.save(tmp_path / "again")
    audit.save(tmp_path / "again", force=True)
    with pytest.raises(bq.InputError, match="found a file"):
        audit.save(tmp_path / "samples", force=True)
    calibration = tmp_path / "report" / "calibration.json"
    assert index.audit(samples, against=held_out, calibration=calibration, false_alarms=0.05).report == audit.report
    limit = ["--max-copied-like-held-out", 0.1, "--calibration", calibration]
    run(command, tmp_path, "generate", "mine", "-w", "7x7", "-n", 20, *limit, "-o", "limited")
    limited = index.generate(20, windows="7x7", max_copied_like_held_out=0.1, calibration=calibration)
    limited.save(tmp_path / "mine-limited")
    assert (tmp_path / "mine-limited").read_bytes() == (tmp_path / "limited").read_bytes()
    with pytest.raises(bq.InputError, match="both"):
        index.generate(1, windows="7x7", max_copied_like_held_out=0.1)


def test_copies_are_told_at_the_rate_that_is_asked_for(tmp_path):
    latents = smooth(3, 620)
    index = bq.build(latents[:400], tmp_path / "smooth.index", depth="7x7")
    copies, honest = latents[:20], latents[600:]
    trace = index.trace(np.concatenate([copies, honest]), against=latents[400:600], false_alarms=0.05,
                        save_calibration=tmp_path / "calibration")
    called = [traced.verdict["copy"] for traced in trace]
    assert sum(called[:20]) >= 18 and sum(called[20:]) <= 6
    assert trace.copies["copies"] == sum(called) and "called copies" in repr(trace)
    again = index.trace(np.concatenate([copies, honest]), calibration=tmp_path / "calibration", false_alarms=0.05)
    assert [traced.verdict for traced in again] == [traced.verdict for traced in trace]
    assert trace.records()[0]["copy"] is called[0]
    unjudged = index.trace(honest)
    assert trace.judged and trace[0].judged and not unjudged.judged and not unjudged[0].judged
    for told in [lambda: unjudged.copies, lambda: unjudged[0].verdict]:
        with pytest.raises(bq.InputError, match="against="):
            told()
