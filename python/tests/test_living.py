"""Living in a process: forks, signals, threads, panics, pickles."""

import multiprocessing
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import bitquilt as bq
from bitquilt import _bitquilt


def answers(index):
    """What a worker asks: counts, samples, a trace."""
    samples = index.generate(3, windows="3x3", seed=5)
    return index.lookup(samples, "3x3").sum(), samples.bits, index.trace(samples).summary


def same(found, expected):
    return found[0] == expected[0] and np.array_equal(found[1], expected[1]) and found[2] == expected[2]


def in_process(context, target, *arguments, seconds=120):
    with multiprocessing.get_context(context).Pool(1) as pool:
        return pool.apply_async(target, arguments).get(timeout=seconds)


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_an_index_answers_in_workers_however_they_start(index, context):
    # Used before: its threads are the parent's.
    expected = answers(index)
    assert same(in_process(context, answers, index), expected)
    assert same(answers(index), expected)


def test_a_forked_process_answers_without_a_pickle(index):
    expected = int(answers(index)[0])
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(int(answers(index)[0])).encode())
        finally:
            os._exit(0)
    os.close(writing)
    deadline = time.monotonic() + 60
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            pytest.fail("the child hangs")
        time.sleep(0.01)
    assert int(os.read(reading, 100)) == expected
    os.close(reading)


def test_a_pickle_finds_its_index_or_says_that_it_is_another(tmp_path, digits):
    path = tmp_path / "it.index"
    index = bq.build(digits, path, windows=["3x3"])
    kept = pickle.dumps(index.without("3,5..8"))
    assert len(pickle.loads(kept).training()) == 60 - 4
    bq.build(digits[:50], path, windows=["3x3"], force=True)
    with pytest.raises(bq.InputError, match="replaced"):
        pickle.loads(kept)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Enough latents that every verb takes a while."""
    random = np.random.default_rng(2)
    latents = (random.normal(size=(6000, 28, 28)).cumsum(axis=1).cumsum(axis=2) > 0).astype(np.uint8)
    return latents, bq.build(latents, tmp_path_factory.mktemp("large") / "large.index", depth="7x7")


def long_work(large, tmp_path):
    latents, index = large
    many = np.concatenate([latents] * 20)
    return {
        "build": lambda: bq.build(many, tmp_path / "new.index", depth="13x13"),
        "generate": lambda: index.generate(1_000_000, windows="5x5"),
        "lookup": lambda: index.lookup(many, "7x7"),
        "trace": lambda: index.trace(latents, windows="5x5"),
        "verify": lambda: index.verify(many, window="7x7"),
        "check": lambda: index.check(brute_force=True),
    }


@pytest.mark.parametrize("verb", ["build", "generate", "lookup", "trace", "verify", "check"])
def test_ctrl_c_ends_every_long_verb_soon_and_the_index_goes_on(large, verb, tmp_path):
    work = long_work(large, tmp_path)[verb]
    sent = []

    def interrupt():
        time.sleep(0.25)
        sent.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    timer = threading.Thread(target=interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        work()
        # Faster than the signal: it comes now.
        time.sleep(5)
    # A safe point is some work away, on however busy a machine; without looking it would be minutes.
    assert time.monotonic() - sent[0] < 10
    timer.join()
    assert large[1].generate(1, windows="3x3").bits.shape == (1, 28, 28, 1)


def test_what_was_found_before_ctrl_c_is_kept(large):
    timer = threading.Timer(1.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(bq.Interrupted) as caught:
        large[1].generate(1_000_000, windows="5x5", seed=3)
    timer.join()
    kept = caught.value.samples
    assert isinstance(caught.value, KeyboardInterrupt) and len(kept) > 0
    # The first ones, in order, but for those that found none or were not finished.
    numbers = [attempt["index"] for attempt in kept.attempts if attempt["status"] == "sample"]
    assert len(numbers) == len(kept) and numbers == sorted(numbers)
    whole = large[1].generate(numbers[-1] + 1, windows="5x5", seed=3)
    again = {attempt["index"]: bits for attempt, bits in zip([a for a in whole.attempts if a["status"] == "sample"], whole.bits)}
    assert all(np.array_equal(again[number], bits) for number, bits in zip(numbers, kept.bits))
    assert large[1].verify(kept).verified


def test_other_threads_run_meanwhile(large):
    counted, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    started = time.monotonic()
    large[1].lookup(np.concatenate([large[0]] * 5), "7x7")
    took = time.monotonic() - started
    stop.set()
    thread.join()
    # A thread that sleeps a millisecond at a time: were the lock held, it would have counted a handful.
    assert counted[0] > 50 * took


def test_progress_is_told_and_what_it_raises_comes_out(large):
    told = []
    large[1].lookup(large[0][:200], "7x7", progress=lambda *of: told.append(of))
    stage, done, total, unit = told[-1]
    assert (stage, done, total, unit) == ("lookup", 200, 200, "latents")

    def tired(*_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        large[1].generate(1_000_000, windows="5x5", progress=tired)


def test_a_panic_is_an_exception_like_others():
    with pytest.raises(bq.InternalError, match="on purpose") as caught:
        _bitquilt.panics()
    assert isinstance(caught.value, RuntimeError) and isinstance(caught.value, bq.Error)


def test_errors_say_what_they_are(index, tmp_path, digits):
    with pytest.raises(bq.NotAnIndex) as caught:
        bq.open(tmp_path)
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(bq.InputError, match="9x9"):
        index.lookup(digits, "9x9")
    with pytest.raises(bq.InputError, match="several windows"):
        index.lookup(digits)
    with pytest.raises(bq.InputError, match="unknown field"):
        index.generate(1, windows="3x3", colour="red")
    with pytest.raises(bq.InputError, match="4x4x3"):
        index.lookup(bq.Latents(np.ones((2, 4, 4, 3)), layout="nhwc"), "3x3")
    with pytest.raises(bq.MemoryLimit) as caught:
        bq.open(index.path, memory=1000).generate(1000, windows="3x3")
    assert isinstance(caught.value, MemoryError)
    for wrong in [-1, 2.5, "three", None]:
        with pytest.raises(bq.InputError, match="n: expected"):
            index.generate(wrong, windows="3x3")
    for wrong in [{"size": (8,)}, {"fixed": np.ones((4, 4))}, {"mask": np.ones((8, 8))}, {"min_count": 0}, {"temperature": -1}, {"novel": 3},
                  {"fixed": np.ones((8, 8)), "mask": np.ones((8, 9))}, {"max_copied": -1}, {"seed": 0.5}]:
        with pytest.raises(bq.InputError):
            index.generate(1, windows="3x3", **wrong)
    many = index.generate(np.int64(2), windows="3x3", seed=np.int64(3), size=np.array([8, 12]))
    assert many.bits.shape == (2, 8, 12, 1)
    with pytest.raises(bq.InputError, match="load"):
        bq.build("latents.safetensors", tmp_path / "new.index")
    with pytest.raises(bq.InputError):
        bq.build(np.ones((0, 4, 4)), tmp_path / "new.index")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        bq.build(digits, "/proc/nowhere/new.index")
    with pytest.raises(bq.InputError, match="GiB"):
        bq.open(index.path, memory="much")
    for wrong in [lambda: bq.open(index.path, memory=-1), lambda: bq.Latents(digits).drawn(-1), lambda: index.trace(digits, limit=0)]:
        with pytest.raises(bq.InputError, match="at least"):
            wrong()
    for rate, words in [(0, "false alarms"), (1, "false alarms"), (-0.5, "false alarms"), (float("nan"), "none")]:
        for judge in [index.trace, index.audit]:
            with pytest.raises(bq.InputError, match=words):
                judge(digits[:2], against=digits[2:6], false_alarms=rate)
    found = index.verify(1 - digits[:2], window="3x3")
    assert not found.verified and found.checked == 128
    with pytest.raises(bq.Unsupported, match="3x3"):
        found.check()


def test_a_damaged_index_is_called_damaged(tmp_path, digits):
    path = tmp_path / "damaged.index"
    bq.build(digits, path, windows=["3x3"])
    (path / "manifest.json").write_text("{")
    with pytest.raises(bq.Damaged, match="manifest.json"):
        bq.open(path)
