"""Asks the server, and keeps every reply that was paid for, so that none is asked for twice.

A reply is known by what was asked: model, messages, sampling and the number of the sample. Each
stage has a file of its own, to which a reply is appended as it comes; a process that is killed
loses only what was still under way.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from wideseek_env.backends.http import HttpClient, HttpLimits
from wideseek_env.backends.replies import bearer, check_url, count, message_text
from wideseek_env.errors import DataError, HttpError, WideSeekError
from wideseek_env.jsonlines import cut_tail, read_json_lines, utf8
from wideseek_env.tasks.synthesis.model.purse import Purse

KEY_VARIABLE = "OPENAI_API_KEY"
_SYNC_EVERY_S = 1.0
"""Whoever is killed loses nothing that was written; this is against a loss of power."""
_MAX_FAILURES = 20
"""Requests that fail one after another, with no reply between, before a run gives up."""
_REFUSES_ALL = (401, 402, 403, 404)
_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a model once."""

    messages: Sequence[Mapping[str, str]]
    temperature: float = 0.0
    sample: int = 0
    """Of several replies to one prompt."""


class Reply(msgspec.Struct, frozen=True):
    """What came back."""

    key: str
    task: str
    text: str
    """Without what a model thought aloud."""
    prompt_tokens: int
    completion_tokens: int
    whole: bool = True
    """Whether it ended by itself, and not at the limit of tokens."""


class Unanswered(Exception):
    """A request got no reply that can be used; the message says why."""


class ReplyFile:
    """An append-only file of replies.

    Args:
        path: made when missing; what a kill left of a last line is cut off.

    Raises:
        DataError: a whole line of it is no reply.
    """

    def __init__(self, path: Path) -> None:
        self.replies: dict[str, Reply] = {}
        cut_tail(path)
        if path.exists():
            for reply in read_json_lines(path, Reply):
                if isinstance(reply, DataError):
                    raise DataError(f"{reply}; delete that line: what it held is asked for again")
                self.replies[reply.key] = reply
        self._file = path.open("ab", buffering=0)
        self._synced_s = time.monotonic()

    def add(self, reply: Reply) -> None:
        """Appends a reply."""
        line = msgspec.json.encode(reply) + b"\n"
        while line:
            line = line[self._file.write(line) or 0 :]
        self.replies[reply.key] = reply
        if time.monotonic() - self._synced_s > _SYNC_EVERY_S:
            os.fsync(self._file.fileno())
            self._synced_s = time.monotonic()

    def close(self) -> None:
        """Closes the file, with all in it on the disk."""
        os.fsync(self._file.fileno())
        self._file.close()


@dataclass(frozen=True, slots=True)
class Server:
    """Who is asked; the key is read from the environment alone."""

    base_url: str
    """Up to and including /v1."""
    model: str
    """What the server calls the model."""
    concurrency: int = 16
    """Tasks that are worked on at once."""
    timeout_s: float = 300.0
    """Of one try."""
    max_tries: int = 6
    """Of one request."""
    backoff_s: float = 0.5
    """Pause before the second try; doubles each time."""
    max_reply_tokens: int = 4096
    """Of one reply, a model's thinking counted."""


class Asker:
    """Asks a server, and keeps the replies.

    Args:
        server: who is asked.
        files: path of the file of each stage.
        purse: what may be spent; told what the files say was spent before.

    Raises:
        ValueError: the URL is none, or the environment holds a key that no header can carry.
        DataError: a file is none of replies.
    """

    def __init__(self, server: Server, files: Mapping[str, Path], purse: Purse) -> None:
        check_url(server.base_url, "base_url")
        self.server, self.purse = server, purse
        self.num_calls: dict[str, int] = dict.fromkeys(files, 0)
        limits = HttpLimits(
            max_in_flight=server.concurrency,
            max_per_host=server.concurrency,
            max_tries=server.max_tries,
            backoff_s=server.backoff_s,
            try_s=server.timeout_s,
        )
        self._client = HttpClient(
            limits, headers=bearer(os.environ.get(KEY_VARIABLE), KEY_VARIABLE)
        )
        self._num_failures = 0
        self.files = {stage: ReplyFile(path) for stage, path in files.items()}
        for file in self.files.values():
            for reply in file.replies.values():
                purse.spend(reply.prompt_tokens, reply.completion_tokens)

    async def close(self) -> None:
        """Closes files and connections."""
        for file in self.files.values():
            file.close()
        await self._client.close()

    async def ask(self, stage: str, task_id: str, question: Question) -> Reply:
        """Returns the reply to a question, from the stage's file or from the server.

        Raises:
            Unanswered: there is none for this question.
            CapReached: it could cost more than is left.
            WideSeekError: the server refuses all, or has not answered for long.
        """
        server, file = self.server, self.files[stage]
        key = self.key(question)
        known = file.replies.get(key)
        if known and (known.whole or known.completion_tokens >= server.max_reply_tokens):
            return known
        body: dict[str, Any] = {
            "model": server.model,
            "messages": list(question.messages),
            "temperature": question.temperature,
            "max_tokens": server.max_reply_tokens,
            "seed": question.sample,
        }
        async with self.purse.held(size_of_prompt(question), server.max_reply_tokens):
            reply = await self._sent(body, key, task_id, size_of_prompt(question))
            self.purse.spend(reply.prompt_tokens, reply.completion_tokens)
            file.add(reply)
            self.num_calls[stage] += 1
        return reply

    def key(self, question: Question) -> str:
        """Names a question to this model."""
        asked = [
            self.server.model, list(question.messages), question.temperature, question.sample,
        ]  # fmt: skip
        text = json.dumps(asked, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    async def _sent(self, body: Mapping[str, Any], key: str, task_id: str, num_bytes: int) -> Reply:
        url = self.server.base_url.rstrip("/") + "/chat/completions"
        try:
            answer = await self._client.post_json(url, body)
            reply = read_reply(answer, key, task_id, num_bytes)
        except (HttpError, ValueError) as error:
            status = error.status if isinstance(error, HttpError) else None
            self._num_failures += 1
            if status in _REFUSES_ALL or self._num_failures >= _MAX_FAILURES:
                raise WideSeekError(str(error)) from error
            raise Unanswered(str(error)) from error
        self._num_failures = 0
        return reply


def size_of_prompt(question: Question) -> int:
    """Counts the bytes of a prompt, and some for what the server puts around each message."""
    return sum(32 + len(str(m["content"]).encode("utf-8", "replace")) for m in question.messages)


def read_reply(answer: Mapping[str, Any], key: str, task_id: str, num_bytes: int) -> Reply:
    """Reads a chat completion; of a server that counts no tokens, bytes are taken for them.

    Args:
        answer: what came.
        key: names the question.
        task_id: what it was asked for.
        num_bytes: of the prompt.

    Raises:
        ValueError: it is none.
    """
    try:
        choice = answer["choices"][0]
        content = choice["message"]["content"]
    except (LookupError, TypeError) as error:
        raise ValueError(f"not a chat completion: {str(answer)[:100]!r}") from error
    text = _THINKING.sub("", message_text(content)[1])
    usage = answer.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Reply(
        key,
        task_id,
        utf8(text).strip(),
        count(usage.get("prompt_tokens")) or num_bytes,
        count(usage.get("completion_tokens")) or len(text.encode("utf-8", "replace")),
        choice.get("finish_reason") != "length",
    )
