"""A client of one OpenAI-compatible server: the `openai` package's, with a cache and few requests at once.

The package retries a request if a server is busy, slow or broken. The request parameters that a server
supports are in its `Dialect`, which is detected once and cached together with the answers.
"""

import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from simdistill.data.answers import beginning, text_of
from simdistill.errors import InputError
from simdistill.teachers.language_models.base import cached_answers
from simdistill.teachers.language_models.cache import Answers
from simdistill.teachers.language_models.dialect import Dialect

KEYS = ("SIMDISTILL_API_KEY", "OPENAI_API_KEY")
"""Environment variables in which the key is looked for, in this order."""
CONCURRENT = 8
"""Number of concurrent requests."""
LONGEST_ASKED = 120.0
"""Longest wait, in seconds, that a server may ask for; if it asks for more, the run ends."""
NOT_SPOKEN = (400, 403, 422, 500, 501)
"""HTTP statuses of servers that don't support a part of a request."""
UNREADABLE = "it isn't a chat completion"
USED_UP = ("insufficient_quota", "insufficient balance", "billing", "credit", "exceeded your current quota")
"""Parts of servers' messages about a quota that waiting doesn't restore."""


@dataclass(frozen=True)
class Refusal:
    """A server's error reply.

    Attributes:
        status: HTTP status; 502 for a reply that can't be read.
        text: The server's message, or the reason why the reply can't be read.
        retry_after: Seconds that the server asks to wait; 0 if it doesn't.
    """

    status: int
    text: str
    retry_after: float = 0.0

    def __str__(self) -> str:
        return (
            self.text if self.text.startswith(UNREADABLE) else f"HTTP {self.status}, {beginning(self.text)}"
        )

    @property
    def may_pass(self) -> bool:
        """Whether the request may be answered later."""
        return self.status in (408, 409, 425, 429) or self.status >= 500

    @property
    def used_up(self) -> bool:
        """Whether a quota is used up, and waiting doesn't bring it back."""
        text = self.text.lower()
        return self.status == 429 and any(sign in text for sign in USED_UP) and not self.waits(text)

    def waits(self, text: str) -> bool:
        """Whether the server says when to come back."""
        return self.retry_after > 0 or "retry" in text or "try again in" in text


class Endpoint:
    """A client of one server.

    Args:
        base_url: Address of the server, as in `http://localhost:8000/v1`.
        timeout: Seconds without a received byte after which a request fails.
        tries: Largest number of tries of each request.
        cache: Folder in which answers are cached.

    Attributes:
        requests: Number of tries made so far; cached answers need none.

    Raises:
        InputError: `base_url` isn't a valid address.
    """

    def __init__(self, base_url: str, timeout: float = 60.0, tries: int = 6, cache: Path | None = None):
        import openai

        _check_address(base_url)
        self.url, self.tries, self.requests = f"{base_url.rstrip('/')}/chat/completions", tries, 0
        self._cache = cache or cached_answers()
        self._counting, self._learning, self._stop = threading.Lock(), threading.Lock(), threading.Event()
        self._dialects: dict[str, Dialect] = {}
        self._client = openai.OpenAI(
            api_key="in a header of each request",
            base_url=base_url,
            max_retries=tries - 1,
            timeout=timeout,
            # The key would go with a redirect.
            http_client=openai.DefaultHttpxClient(
                follow_redirects=False,
                event_hooks={"request": [self._count], "response": [_judge]},
            ),
        )

    def complete(self, bodies: Sequence[dict]) -> list[dict]:
        """Returns an answer to every request, in the order of requests; equal requests are sent once.

        Args:
            bodies: Requests, as JSON values.

        Returns:
            Answers `{"text", "top"}`: the text, and pairs of token and log-probability for its first token,
            or None if the server gives none. If the answer was truncated, `"cut"` is True.

        Raises:
            InputError: The server refuses a request, or all tries of a request fail. Earlier answers stay
                cached.
        """
        self._stop.clear()
        with closing(Answers(self._cache)) as answers:
            keys = [json.dumps(body, sort_keys=True) for body in bodies]
            replies = {key: answers[self.url, key] for key in dict.fromkeys(keys)}
            missing = [key for key, reply in replies.items() if reply is None]
            for key, reply in self._ask(missing, answers):
                replies[key] = answers[self.url, key] = reply
        return [replies[key] for key in keys]

    def _ask(self, keys: Sequence[str], answers: Answers) -> Iterator[tuple[str, dict]]:
        """Yields answers to requests as they arrive; after a failure, later arrivals are still cached."""
        bodies = {key: json.loads(key) for key in keys}
        models = {body["model"]: key for key, body in reversed(bodies.items())}
        for model, key in models.items():
            known = answers["dialect", self.url, model]
            if known is not None:
                self._dialects.setdefault(model, Dialect(**known))
            else:  # One request detects the server's dialect, so that the others needn't.
                yield key, self._reply(bodies.pop(key))
                answers["dialect", self.url, model] = asdict(self._dialects[model])
        pool = ThreadPoolExecutor(CONCURRENT)
        under_way = {pool.submit(self._reply, body): key for key, body in bodies.items()}
        try:
            for done in as_completed(under_way):
                reply = done.result()
                yield under_way.pop(done), reply
        finally:
            self._stop.set()
            pool.shutdown(cancel_futures=True)
            for late, key in under_way.items():
                if not late.cancelled() and late.exception() is None:
                    answers[self.url, key] = late.result()
            for model in models:
                answers["dialect", self.url, model] = asdict(self._dialects[model])

    def _reply(self, body: dict) -> dict:
        """Sends a request, in another dialect if the server doesn't support its form."""
        model = body["model"]
        while True:
            dialect = self._dialects.setdefault(model, Dialect())
            found = self._send(dialect.spoken(body), self.tries)
            if isinstance(found, dict):
                return found
            if found.status not in NOT_SPOKEN:
                raise self._failure(found, model)
            with self._learning:
                if self._dialects[model] is dialect:  # else another request has detected it meanwhile
                    self._dialects[model], reply = self._learn(body, dialect, found)
                    return reply

    def _learn(self, body: dict, dialect: Dialect, refusal: Refusal) -> tuple[Dialect, dict]:
        """Detects the dialect in which a server accepts a request; returns it and the answer.

        Raises:
            InputError: The server refuses the request in every dialect.
        """
        form, found = dialect, refusal
        while found.status in NOT_SPOKEN and (named := form.named(found.text)) is not None:
            form, reply = named, self._send(named.spoken(body), self.tries)
            if isinstance(reply, dict):
                return form, reply
            found = reply
        for form in dialect.simpler():
            reply = self._send(form.spoken(body), 1)
            if isinstance(reply, dict):
                # The server may only have failed for a while, and accept the first form now.
                again = self._send(dialect.spoken(body), 1)
                return (dialect, again) if isinstance(again, dict) else (form, reply)
        raise self._failure(refusal, body["model"])

    def _send(self, body: dict, tries: int) -> dict | Refusal:
        """Returns the answer to a request, or the server's refusal.

        Raises:
            InputError: The server doesn't answer, or another request has failed.
        """
        import openai

        if self._stop.is_set():
            raise InputError(f"{self.url}: another request has failed")
        refusal, reason, key = None, "", _key()
        authorization: Any = f"Bearer {key}" if key else openai.Omit()
        # Connections are closed after each answer, as there may be no further request.
        headers = {"Authorization": authorization, "Connection": "close"}
        options: Any = {"headers": headers, "max_retries": tries - 1}
        try:
            text = self._client.post("/chat/completions", body=body, cast_to=str, options=options)
            reply = _read(_shown(text))
            if reply is not None:
                return reply
            reason = UNREADABLE
        except openai.APIStatusError as error:
            text = error.response.extensions.get("reason") or error.response.text
            waits = _seconds(error.response.headers.get("Retry-After"))
            refusal = Refusal(error.status_code, _shown(text), waits)
        except openai.APIConnectionError as error:
            reason = str(error.__cause__ or error) or type(error.__cause__).__name__
        # Not raised inside `except`: the package's error, which may contain the key, would be its context.
        if refusal is None:
            raise self._silent(_shown(reason))
        return refusal

    def _failure(self, refusal: Refusal, model: str) -> InputError:
        """Returns an error with the reason why a request has no answer, and with what to do."""
        if refusal.retry_after > LONGEST_ASKED:
            return InputError(
                f"{self.url}: {refusal}; the server asks to wait for {refusal.retry_after:.0f} seconds. "
                "Its answers so far are cached: start again after this time."
            )
        if refusal.used_up:
            return InputError(
                f"{self.url}: the quota is used up: {refusal}. Answers so far are cached: start again when "
                "there is new quota."
            )
        if refusal.may_pass:
            return self._silent(str(refusal))
        key = f"; the key comes from {' or '.join(KEYS)}" if refusal.status in (401, 403) else ""
        return InputError(f"{self.url} refuses a request for model {model}: {refusal}{key}")

    def _silent(self, reason: str) -> InputError:
        return InputError(
            f"{self.url}: no usable reply in {self.tries} tries; the last one: {reason}. Check "
            "teacher.base_url and the server; what it has answered is kept."
        )

    def _count(self, request: Any) -> None:
        with self._counting:
            self.requests += 1


def _key() -> str | None:
    return next((os.environ[name] for name in KEYS if os.environ.get(name)), None)


def _shown(text: str) -> str:
    """Returns a text with the key masked, so that the text can be shown or stored."""
    key = _key()
    return text.replace(key, "***") if key else text


def _check_address(base_url: str) -> None:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InputError(f"teacher.base_url: {base_url} is no address as http://localhost:8000/v1")
    if "@" in parts.netloc:
        raise InputError(
            f"teacher.base_url: leave out what is before the @ of {parts.hostname}; a key belongs in the "
            f"environment, as {KEYS[0]}"
        )


def _judge(response: Any) -> None:
    """Changes a reply so that the openai package retries, or doesn't retry, against its default."""
    response.read()
    if response.status_code == 200:
        if _read(response.text) is None:  # becomes "bad gateway", which the package retries
            response.status_code = 502
            response.extensions["reason"] = f"{UNREADABLE}: {beginning(response.text)}"
        return
    waits = _seconds(response.headers.get("Retry-After"))
    refusal = Refusal(response.status_code, response.text, waits)
    named = refusal.status in NOT_SPOKEN and Dialect().named(refusal.text) is not None
    if refusal.used_up or named or refusal.status == 501:
        response.headers["x-should-retry"] = "false"
    elif refusal.status == 425:
        response.headers["x-should-retry"] = "true"


def _read(text: str) -> dict | None:
    """Returns a reply's answer and its first token's log-probabilities; None if the reply is unreadable."""
    try:
        choice = json.loads(text)["choices"][0]
        message = choice["message"]
        content, thought = (
            message.get("content"),
            message.get("reasoning_content") or message.get("reasoning"),
        )
        tokens = (choice.get("logprobs") or {}).get("content") or [{}]
        top = [[str(t["token"]), float(t["logprob"])] for t in tokens[0].get("top_logprobs") or []]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    if not isinstance(content, str | list | None):
        return None
    answer, cut = text_of(content), choice.get("finish_reason") == "length"
    if not answer.strip() and not cut:
        answer = text_of(thought)  # a server may return an answer without reasoning as the reasoning
    # If there is reasoning, the reply's first token isn't the answer's.
    reply = {"text": answer, "top": None if thought or "<think>" in answer else top or None}
    return reply | ({"cut": True} if cut else {})


def _seconds(retry_after: str | None) -> float:
    """Returns the seconds of a Retry-After header, which may be a number or a date; 0 without one."""
    try:
        return max(float(retry_after or 0), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(str(retry_after)).timestamp() - time.time(), 0.0)
    except ValueError:
        return 0.0
