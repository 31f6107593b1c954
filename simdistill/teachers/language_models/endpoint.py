"""A teacher behind an OpenAI-compatible server, asked by `/chat/completions`.

Few requests are under way at once. A server that is busy, slow or broken is asked again, later and later.
Every answer is kept on disk, so nothing is paid for twice; the API key comes from the environment and is kept
nowhere.
"""

import json
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener
from zlib import crc32

from simdistill.config import TeacherConfig
from simdistill.data.answers import beginning
from simdistill.errors import InputError
from simdistill.models.choice_model import Asked
from simdistill.models.student import ROOM
from simdistill.simulation import PLAN, TRAIN
from simdistill.simulation.streams import Streams
from simdistill.teachers.language_models.base import (
    AT_ONCE,
    LanguageTeacher,
    Said,
    chosen,
    remembered_answers,
)
from simdistill.teachers.language_models.cache import Remembered

KEYS = ("SIMDISTILL_API_KEY", "OPENAI_API_KEY")
"""Environment variables in which the key is looked for, in this order."""
CONCURRENT = 8
"""Requests under way at once."""
LONGEST_WAIT = 30.0
"""Seconds between two tries of a request, unless the server asks for more."""
LONGEST_ASKED = 120.0
"""Seconds that a server may ask to be left alone for; with more, the run ends and can be resumed."""
LARGEST = 1 << 22
"""Bytes of a reply that are read."""
TOP = 20
"""Tokens whose probabilities are asked for, the most that OpenAI gives."""
ENOUGH = 0.9
"""Probability of all choices together from which on a server's probabilities are used."""


class Unavailable(Exception):
    """A request failed in a way that may pass.

    Attributes:
        retry_after: Seconds that the server asks to wait.
    """

    def __init__(self, reason: str, retry_after: float = 0.0):
        super().__init__(reason)
        self.retry_after = retry_after


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirect: the API key would go with it."""

    def redirect_request(self, *args: Any) -> None:
        return None


class Endpoint:
    """A client of one server.

    Args:
        base_url: As in `http://localhost:8000/v1`.
        seed: Root seed, of the jitter of waits.
        timeout: Seconds without a byte after which a request is given up.
        tries: Of each request.
        wait: Seconds before the second try; doubled for every further one.
        cache: File in which replies are kept.

    Attributes:
        requests: Tries made so far; kept replies cost none.

    Raises:
        InputError: The address can't be one of a server.
    """

    def __init__(
        self,
        base_url: str,
        seed: int,
        timeout: float = 60.0,
        tries: int = 6,
        wait: float = 0.5,
        cache: Path | None = None,
    ):
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise InputError(f"teacher.base_url: {base_url} is no address as http://localhost:8000/v1")
        if "@" in parts.netloc:
            raise InputError(
                f"teacher.base_url: leave out what is before the @ of {parts.hostname}; a key belongs in the "
                f"environment, as {KEYS[0]}"
            )
        self.url = f"{base_url.rstrip('/')}/chat/completions"
        self.timeout, self.tries, self.wait = timeout, tries, wait
        self.requests = 0
        self._cache = cache or remembered_answers()
        self._path = (seed, TRAIN, PLAN)
        self._opener = build_opener(_NoRedirect)
        self._counting = threading.Lock()

    def complete(self, bodies: Sequence[dict]) -> list[dict]:
        """Returns a reply to every request, in their order; equal requests are sent once.

        Args:
            bodies: Requests, as JSON values.

        Returns:
            `{"text", "top"}` each: the answer, and pairs of token and log probability for its first token,
            None where the server doesn't tell them.

        Raises:
            InputError: The server refuses a request, or none of its tries was answered. Replies that came
                before are kept.
        """
        remembered = Remembered(self._cache)
        keys = [json.dumps(body, sort_keys=True) for body in bodies]
        replies = {key: remembered[self.url, key] for key in dict.fromkeys(keys)}
        stop = threading.Event()
        pool = ThreadPoolExecutor(CONCURRENT)
        missing = [key for key, reply in replies.items() if reply is None]
        under_way = {pool.submit(self._reply, json.loads(key), stop): key for key in missing}
        try:
            for done in as_completed(under_way):
                key = under_way.pop(done)
                replies[key] = remembered[self.url, key] = done.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
            # A failure may be seen before answers that came earlier.
            for late, key in under_way.items():
                if not late.cancelled() and late.exception() is None:
                    remembered[self.url, key] = late.result()
            remembered.close()
        return [replies[key] for key in keys]

    def _reply(self, body: dict, stop: threading.Event) -> dict:
        """Sends a request until it is answered."""
        reason = "it was stopped"
        for number in range(self.tries):
            try:
                return self._once(body)
            except Unavailable as error:
                reason = str(error)
                if error.retry_after > LONGEST_ASKED:
                    raise InputError(
                        f"{self.url}: {reason}; it asks to be left alone for {error.retry_after:.0f} "
                        "seconds. What it has answered is kept: start again then."
                    ) from None
                last = number + 1 == self.tries
                if last or stop.wait(max(self._backoff(body, number), error.retry_after)):
                    break
        raise InputError(
            f"{self.url}: no usable reply in {self.tries} tries; the last one: {reason}. Check "
            "teacher.base_url and the server; what it has answered is kept."
        )

    def _backoff(self, body: dict, number: int) -> float:
        """Returns the seconds to wait after a failed try: doubled each time, less up to a half."""
        drawn = Streams(self._path).uniform("retry", crc32(json.dumps(body).encode()), number)
        return min(self.wait * 2**number, LONGEST_WAIT) * (1 - drawn / 2)

    def _once(self, body: dict) -> dict:
        status, text, retry_after = self._post(body)
        if status == 200:
            return _read(text)
        said = f"HTTP {status}, {beginning(text)}"
        if status in (408, 409, 425, 429) or status >= 500:
            raise Unavailable(said, retry_after)
        if status in (400, 422) and "logprob" in text and "logprobs" in body:
            plain = {name: value for name, value in body.items() if "logprobs" not in name}
            return self._once(plain)
        key = f"; the key comes from {' or '.join(KEYS)}" if status in (401, 403) else ""
        raise InputError(f"{self.url} refuses a request for model {body['model']}: {said}{key}")

    def _post(self, body: dict) -> tuple[int, str, float]:
        """Returns status, text and the seconds to wait; the key is taken out of what the server says."""
        with self._counting:
            self.requests += 1
        key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
        headers = {"Content-Type": "application/json", "User-Agent": "simdistill"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = Request(self.url, json.dumps(body).encode(), headers, method="POST")
        try:
            try:
                reply = self._opener.open(request, timeout=self.timeout)
            except HTTPError as error:
                reply = error
            with reply:
                text = reply.read(LARGEST).decode("utf-8", errors="replace")
                waits = _seconds(reply.headers.get("Retry-After"))
        except (OSError, HTTPException, ValueError) as error:
            # Not chained: what urllib keeps with its errors may hold the key.
            reason = str(getattr(error, "reason", error)) or type(error).__name__
            raise Unavailable(reason.replace(key, "***") if key else reason) from None
        return reply.status or 0, text.replace(key, "***") if key else text, waits


class EndpointTeacher(LanguageTeacher):
    """A language model behind an OpenAI-compatible server.

    It tells probabilities only where the server gives those of the first token, this token tells the choices
    apart, and the choices have at least 0.9 of the probability.

    Args:
        settings: Its model and the server's address.
        seed: Root seed.
    """

    everywhere = False

    def __init__(self, settings: TeacherConfig, seed: int):
        super().__init__(settings, seed)
        self.model = settings.model or ""
        self.endpoint = Endpoint(settings.base_url or "", seed)
        self.name = f"{self.model} at {self.endpoint.url}"
        self.made_by = {"url": self.endpoint.url, "model": self.model}
        self.illegal: list[Asked] = []

    def check(self, questions: Sequence[Asked]) -> None:
        self.endpoint.complete(
            [self._body([{"role": "user", "content": "Answer with the letter A."}], ["A"])]
        )

    def said(
        self, questions: Sequence[Asked], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Said]:
        found: list[Said] = []
        for begin in range(0, len(questions), AT_ONCE):
            part = questions[begin : begin + AT_ONCE]
            for question, reply in zip(part, self._replies(part), strict=True):
                choice = chosen(reply["text"], question.choices)
                if choice is None:
                    self.illegal.append(question)
                self.legal |= choice is not None
                told = probabilities(reply["top"], question.choices)
                found.append(Said(choice, told, choice is not None))
            if not self.legal and len(self.illegal) >= AT_ONCE:
                self.check_sense(self.illegal)
            progress(len(found), len(questions))
        return found

    def texts(self, questions: Sequence[Asked]) -> list[str]:
        return [reply["text"] for reply in self._replies(questions)]

    def _replies(self, questions: Sequence[Asked]) -> list[dict]:
        return self.endpoint.complete([self._body(q.prompt, q.choices) for q in questions])

    def _body(self, prompt: Sequence[dict], choices: Sequence[str]) -> dict:
        return {
            "model": self.model,
            "messages": list(prompt),
            "temperature": 0,
            # A token has at least one character.
            "max_tokens": max(map(len, choices)) + ROOM,
            "logprobs": True,
            "top_logprobs": TOP,
        }


def probabilities(top: Sequence[Sequence] | None, choices: Sequence[str]) -> list[float] | None:
    """Returns the probabilities of the choices (C) by the first token; None if it doesn't tell them.

    Args:
        top: Pairs of token and log probability.
        choices: Labels. Each is told by the tokens with which it alone begins.
    """
    found_C = [0.0] * len(choices)
    for token, log_probability in top or ():
        begun = [place for place, label in enumerate(choices) if _begins(label, token.strip())]
        if len(begun) > 1:
            return None
        for place in begun:
            found_C[place] += math.exp(log_probability)
    total = sum(found_C)
    return [p / total for p in found_C] if total >= ENOUGH else None


def _begins(label: str, token: str) -> bool:
    return bool(token) and label.startswith(token)


def _read(text: str) -> dict:
    """Takes the answer and its first token's probabilities out of a reply."""
    try:
        choice = json.loads(text)["choices"][0]
        answer = choice["message"]["content"] or ""
        tokens = (choice.get("logprobs") or {}).get("content") or [{}]
        top = [[str(t["token"]), float(t["logprob"])] for t in tokens[0].get("top_logprobs") or []]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise Unavailable(f"it isn't a chat completion: {beginning(text)}") from None
    if not isinstance(answer, str):
        raise Unavailable(f"its content isn't text: {beginning(text)}")
    return {"text": answer, "top": top or None}


def _seconds(retry_after: str | None) -> float:
    """Returns the seconds of a Retry-After header, which may be a number or a date; 0 without one."""
    if not retry_after:
        return 0.0
    try:
        return max(float(retry_after), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    except ValueError:
        return 0.0
