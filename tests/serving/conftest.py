"""A finished run of a tiny student, served in this process on a port of its own; and a headless browser."""

import base64
import http.client
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

SMALL = [
    "task=queueing",
    "teacher.generations=1",
    "teacher.scenarios=8",
    "teacher.futures=4",
    "teacher.compared_sets=2",
    "teacher.forecast_futures=4",
    "task.horizon=100",
    "task.warm_up=20",
    "distill.questions=48",
    "distill.forecasts=8",
    "distill.rounds=0",
    "distill.validation_questions=8",
    "distill.batch_size=8",
    # Left as it is, the tiny model says A in some states and B in others; trained a little, always A.
    "distill.learning_rate=1e-9",
    "student.lora.r=2",
    "student.lora.layers=2",
    "student.dtype=float32",
    "evaluation.parameter_sets=1",
    "evaluation.replications=2",
    "evaluation.tabulated_mass=0.5",
    "evaluation.questions_shown=0",
    "evaluation.forecasts=0",
    "workers=1",
    "threads=1",
]


@pytest.fixture(scope="session")
def run(tiny_folder, tmp_path_factory) -> Path:
    """A finished run."""
    from simdistill.config import compose
    from simdistill.runs import pipeline

    output = tmp_path_factory.mktemp("runs") / "run"
    config = compose([*SMALL, f"student.name={tiny_folder}", f"output={output}"])[0]
    return pipeline.run(config, Console(quiet=True))


class Client:
    """Asks a server on loopback.

    Args:
        port: Where it listens.
    """

    def __init__(self, port: int):
        self.port = port
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: Any = None, raw: bytes | None = None) -> tuple[int, Any, dict[str, str]]:
        """Returns status, what the JSON holds, and headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        connection.request("GET" if data is None else "POST", path, data)
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        html = reply.headers.get_content_type() == "text/html"
        return reply.status, text.decode() if html else json.loads(text), dict(reply.headers)


@contextmanager
def serving(run: Path, **limits: float) -> Iterator[Client]:
    """Serves a run on a free port."""
    import uvicorn

    from simdistill.serving.app import application
    from simdistill.serving.service import Limits, Service

    service = Service(run, Limits(**limits))  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(application(service), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server didn't start"
        time.sleep(0.01)
    client = Client(server.servers[0].sockets[0].getsockname()[1])
    client.service = service  # type: ignore[attr-defined]
    try:
        yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def serve(run) -> Callable[..., Any]:
    """Serves the run with other limits."""

    @contextmanager
    def served(**limits: float) -> Iterator[Client]:
        with serving(run, **limits) as client:
            yield client

    return served


@pytest.fixture(scope="session")
def server(run) -> Iterator[Client]:
    """The run, served."""
    with serving(run) as client:
        yield client


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """A headless Chromium, driven through its DevTools protocol on a pair of pipes.

    Args:
        profile: Folder for what it stores.
    """

    def __init__(self, profile: Path):
        reading, theirs = os.pipe()
        ours, self._writing = os.pipe()
        command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += [
            "--remote-debugging-pipe",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            "--disable-sync",
        ]
        command += ["--disable-background-networking", "--disable-component-update", "about:blank"]
        # Chromium reads commands from descriptor 3 and writes answers to descriptor 4.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{ours} 4>&{theirs} {ours}<&- {theirs}>&-', "bash", *command],
            pass_fds=(ours, theirs),
            stderr=subprocess.DEVNULL,
        )
        os.close(ours)
        os.close(theirs)
        self._answers = os.fdopen(reading, "rb")
        self._count, self._session, self.console = 0, None, []
        targets = self._do("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self._do("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._do(f"{domain}.enable")

    def size(self, width: int, height: int, dark: bool = False) -> None:
        """Sets the window's size and the colours that the reader prefers."""
        self._do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._do("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> None:
        """Goes to a page."""
        self._do("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """Returns what an expression of JavaScript is in the page."""
        found = self._do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60) -> Any:
        """Returns an expression's value once it is true."""
        end = time.monotonic() + seconds
        while not (found := self.value(expression)):
            assert time.monotonic() < end, f"not within {seconds} s: {expression}"
            time.sleep(0.05)
        return found

    def picture(self, path: Path) -> None:
        """Saves a picture of the whole page."""
        shot = self._do("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait()
        self._answers.close()
        os.close(self._writing)

    def _do(self, method: str, **params: Any) -> dict:
        self._count += 1
        command = {"id": self._count, "method": method, "params": params}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._writing, json.dumps(command).encode() + b"\0")
        while True:
            message = self._read()
            if message.get("id") == self._count:
                assert "error" not in message, message
                return message["result"]
            if message.get("method") in (
                "Runtime.exceptionThrown",
                "Log.entryAdded",
                "Runtime.consoleAPICalled",
            ):
                self.console.append(message["params"])

    def _read(self) -> dict:
        text = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser ended"
            text += byte
        return json.loads(text)


@pytest.fixture
def browser(tmp_path) -> Iterator[Browser]:
    """A browser, where there is one."""
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome here")
    browser = Browser(tmp_path / "profile")
    yield browser
    browser.close()
