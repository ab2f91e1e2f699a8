"""The explorer from Python: the same answers as its own calls, pictures by the user's function, and an end."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import bitquilt as bq
import numpy as np
import pytest
from PIL import Image


def asked(server: bq.Server, path: str) -> bytes:
    with urllib.request.urlopen(server.url + path, timeout=30) as answer:
        return bytes(answer.read())


def noise(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.random((count, 8, 8)) < np.tile(np.linspace(0.1, 0.9, 8), (8, 1))


@pytest.fixture
def index(tmp_path: Path) -> bq.Index:
    return bq.build(bq.Latents(noise(np.random.default_rng(0), 200)), tmp_path / "index", windows=["3x3", "5x5"])


def test_answers_are_those_of_the_packages_own_calls(index: bq.Index) -> None:
    samples = index.generate(6, windows="3x3", seed=2)
    held_out = noise(np.random.default_rng(1), 80)
    trace = index.trace(samples, against=held_out, false_alarms=0.05, bits=True, top=0)
    with bq.serve(index, {"mine": samples, "others": held_out[:5]}, against=held_out, false_alarms=0.05) as server:
        assert server.url.startswith("http://127.0.0.1:")
        sets = json.loads(asked(server, "api/v1/sets"))["sets"]
        assert [(one["name"], one["samples"], one["judged"]) for one in sets] == [("mine", 6, True), ("others", 5, True), ("held-out", 80, False)]
        for number in range(6):
            own = json.loads(asked(server, f"api/v1/sets/mine/samples/{number}"))["samples"]
            assert own == [trace.document["samples"][number]]
        assert json.loads(asked(server, "api/v1/index"))["info"] == index.info
        # The interpreter goes on meanwhile, on the same index.
        assert len(index.generate(2, windows="3x3")) == 2
        with pytest.raises(urllib.error.HTTPError, match="404"):
            asked(server, "api/v1/latents/200")


def test_latents_are_drawn_by_the_users_function(index: bq.Index) -> None:
    def decode(bits: np.ndarray) -> np.ndarray:
        return np.kron(bits[:, :, 0] * 200 + 7, np.ones((2, 3), np.uint8)).astype(np.uint8)

    def broken(bits: np.ndarray) -> np.ndarray:
        raise ValueError("no picture today")

    with bq.serve(index, decode=decode) as server:
        png = asked(server, "api/v1/latents/3/picture.png")
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), decode(index.training().bits[3]))
        assert json.loads(asked(server, "api/v1/index"))["decodes"]
    with bq.serve(index, decode=broken) as server, pytest.raises(urllib.error.HTTPError) as raised:
        asked(server, "api/v1/latents/3/picture.png")
    assert raised.value.code == 500 and "no picture today" in json.load(raised.value)["detail"]


def test_a_server_stops_and_says_so(index: bq.Index) -> None:
    server = bq.serve(index, index.generate(2, windows="3x3"))
    assert server.running and server.url in server._repr_html_()
    server.stop()
    server.stop()
    assert not server.running and "stopped" in repr(server)
    with pytest.raises(urllib.error.URLError):
        asked(server, "healthz")


def test_a_process_ends_with_a_server_that_runs(index: bq.Index) -> None:
    program = f"import bitquilt as bq; server = bq.serve(bq.open({str(index.path)!r})); print(server.url)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith("http://"), done.stderr


def test_what_cannot_be_served_is_an_error(index: bq.Index, tmp_path: Path) -> None:
    with bq.serve(index) as server:
        port = int(server.url.split(":")[2].strip("/"))
        with pytest.raises((bq.InputError, OSError), match="another"):
            bq.serve(index, port=port)
    for wrong in ({"token": "short"}, {"host_names": ["a:80"]}, {"cors": "*"}, {"listen": "nowhere"}, {"port": -1}, {"windows": "99x99", "samples": noise(np.random.default_rng(2), 2)}):
        with pytest.raises(bq.InputError):
            bq.serve(index, **wrong)
    with pytest.raises(FileNotFoundError):
        bq.serve(index, calibration=tmp_path / "nowhere")
    with pytest.raises(bq.InputError, match="17.png"):
        (tmp_path / "empty").mkdir()
        bq.serve(index, pictures=tmp_path / "empty")
    with bq.serve(index, listen="0.0.0.0") as server:
        open_url, token = server.url.split("?token=")
        assert len(token) >= 32
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(open_url + "api/v1/index", timeout=30)
        request = urllib.request.Request(open_url + "api/v1/index", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["generates"] is False
