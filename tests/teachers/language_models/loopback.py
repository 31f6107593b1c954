"""A server on loopback for tests: it answers as a test says, and keeps what it was asked."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from simdistill.models.choice_model import Posed
from simdistill.teachers.language_models.client import Endpoint
from simdistill.teachers.language_models.endpoint import EndpointTeacher

KEY = "sk-never-to-be-seen-again"
SURE = [["A", -0.02], ["B", -4.0], ["The", -6.0]]


def completion(text: str, top: list | None = None) -> str:
    choice: dict = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    if top is not None:
        tokens = [{"token": token, "logprob": log_probability} for token, log_probability in top]
        choice["logprobs"] = {"content": [{**tokens[0], "top_logprobs": tokens}]}
    return json.dumps({"object": "chat.completion", "choices": [choice]})


class Server(ThreadingHTTPServer):
    """Answers by a function of number and body: text, (status, headers, text), or None to hang up."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Callable = lambda number, body: completion("A", SURE)
        self.bodies: list[dict] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address) -> None:
        """Clients that have gone away are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            number = len(server.bodies)
            server.bodies.append(body)
            server.keys.append(self.headers["Authorization"])
            server.times.append(time.monotonic())
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            said = server.answer(number, body) if self.path == "/v1/chat/completions" else (404, {}, "no")
        finally:
            with server.lock:
                server.at_once -= 1
        if said is None:
            self.connection.close()
            return
        status, headers, text = said if isinstance(said, tuple) else (200, {}, said)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text.encode())), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args) -> None:
        pass


def client(server: Server, **settings) -> Endpoint:
    return Endpoint(server.url, **{"tries": 3, "timeout": 5.0, **settings})


def body(text: str) -> dict:
    return {"model": "small", "messages": [{"role": "user", "content": text}], "logprobs": True}


def asked(count: int, *choices: str) -> list[Posed]:
    return [Posed([{"role": "user", "content": f"Jobs {n}."}], list(choices or "AB")) for n in range(count)]


def teacher(server: Server) -> EndpointTeacher:
    return EndpointTeacher(EndpointTeacher.Config(name="endpoint", model="small", base_url=server.url), 0)


def once(failure, then: str = completion("A")) -> Callable:
    return lambda number, body: (failure() if callable(failure) else failure) if number == 0 else then
