#!/usr/bin/env python3
"""A scripted provider of both wires, for client tests in any language.

`python3 provider.py` listens on a loopback port that the system gives and prints
`listening on 127.0.0.1:PORT`. It ends when its standard input does.

    /openai/v1/chat/completions      OpenAI Chat Completions
    /strict/v1/chat/completions      the same, refusing what OpenAI does not know in messages
    /anthropic/v1/messages[/count_tokens]
    .../v1/anything-else             answers with what it got, for paths that are relayed
    /_stub/reset                     forget what was seen
    /_stub/seen                      the requests since, as JSON
    /_stub/wait?state=closed|got&count=N   waits until N requests are in that state, then as `seen`

What it answers is in `script.py`, by the model's name. Every request is kept: path, query,
headers, body, and whether the other side closed its connection before the answer was over.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.parse

import anthropic_wire
import openai_wire
import script

WAIT_SECONDS_MAX = 10
HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 64 * 1024 * 1024


class Seen:
    def __init__(self) -> None:
        self.requests: list[dict] = []
        self.changed = asyncio.Condition()

    async def note(self, record: dict, **what: object) -> None:
        async with self.changed:
            record.update(what)
            self.changed.notify_all()

    async def add(self, record: dict) -> None:
        async with self.changed:
            self.requests.append(record)
            self.changed.notify_all()

    async def reset(self) -> None:
        async with self.changed:
            self.requests = []

    async def wait(self, state: str, count: int) -> bool:
        def reached() -> bool:
            return sum(1 for r in self.requests if state == "got" or r[state]) >= count

        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX), self.changed:
                await self.changed.wait_for(reached)
        except TimeoutError:
            return False
        return True


class Connection:
    """One connection: requests in order, each answered before the next is read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen):
        self.reader, self.writer, self.seen = reader, writer, seen

    async def run(self) -> None:
        try:
            while await self.one():
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self.writer.close()

    async def one(self) -> bool:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.split("\r\n")[:-2]
        method, target, _ = request.split(" ")
        pairs = [(n.strip().lower(), v.strip()) for n, v in (line.split(":", 1) for line in lines)]
        headers = dict(pairs)
        body = await self.body(headers)
        path, _, query = target.partition("?")
        if path.startswith("/_stub/"):
            return await self.control(path.removeprefix("/_stub/"), query)
        record = {
            "method": method, "path": path, "query": query, "headers": headers,
            "header_names": [name for name, _ in pairs], "text": body.decode("utf-8", "replace"),
            "body": None, "closed": False, "at": time.monotonic(), "closed_at": None,
        }
        try:
            record["body"] = json.loads(body) if body else None
        except ValueError:
            pass
        await self.seen.add(record)
        return await self.answer(record)

    async def body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int(await self.reader.readline(), 16):
                parts.append(await self.reader.readexactly(size))
                await self.reader.readline()
            await self.reader.readline()
            return b"".join(parts)
        length = int(headers.get("content-length", 0))
        assert length <= BODY_BYTES_MAX
        return await self.reader.readexactly(length)

    async def control(self, name: str, query: str) -> bool:
        asked = dict(urllib.parse.parse_qsl(query))
        reached = True
        if name == "reset":
            await self.seen.reset()
        elif name == "wait":
            reached = await self.seen.wait(asked.get("state", "got"), int(asked.get("count", 1)))
        await self.json(200 if reached else 504, self.seen.requests)
        return True

    async def answer(self, record: dict) -> bool:
        kind, _, rest = record["path"].removeprefix("/").partition("/")
        body, headers = record["body"], record["headers"]
        anthropic = kind == "anthropic"
        wire = anthropic_wire if anthropic else openai_wire
        if (fault := wire.check_head(headers)) is not None:
            await self.fault(wire, fault)
            return True
        if rest == "v1/messages/count_tokens" and anthropic:
            return await self.count(body, headers)
        if rest != ("v1/messages" if anthropic else "v1/chat/completions"):
            told = {"path": record["path"], "method": record["method"], "text": record["text"]}
            await self.json(200, told)
            return True
        if not isinstance(body, dict):
            body = {}
        name = script.script_of(str(body.get("model")))
        before = sum(1 for r in self.seen.requests
                     if r is not record and (r["body"] or {}).get("model") == body["model"])
        try:
            if anthropic:
                anthropic_wire.check(body, headers)
            else:
                openai_wire.check(body, kind == "strict")
        except (anthropic_wire.Refused, openai_wire.Refused) as refused:
            code = getattr(refused, "code", None)
            fault = script.Fault(400, "invalid_request_error", "invalid_request_error",
                                 f"stub: {refused}", code)
            await self.fault(wire, fault)
            return True
        if name == "hang":
            return await self.watch(record)
        if name == "html":
            await self.send(200, "text/html", b"<html>sign in first</html>")
            return True
        told = script.answer(name, wire.results_of(body), wire.first_tool(body), before)
        if isinstance(told, script.Fault):
            await self.fault(wire, told)
        elif body.get("stream"):
            return await self.stream(record, wire, wire.stream(body["model"], told, body), told)
        elif told.breaks == "wait":
            return await self.watch(record)
        elif told.breaks is not None:
            # A whole answer that breaks: half of it, less than was promised.
            text = json.dumps(wire.message(body["model"], told)).encode()
            self.writer.write(head(200, "application/json", [("content-length", len(text))]))
            self.writer.write(text[: len(text) // 2])
            await self.writer.drain()
            return False
        else:
            await self.json(200, wire.message(body["model"], told))
        return True

    async def count(self, body: dict, headers: dict[str, str]) -> bool:
        try:
            anthropic_wire.check(body, headers, counting=True)
        except anthropic_wire.Refused as refused:
            await self.fault(anthropic_wire, script.Fault(400, "invalid_request_error", "",
                                                          f"stub: {refused}"))
            return True
        await self.json(200, {"input_tokens": 2095})
        return True

    async def stream(self, record: dict, wire, events: list[bytes], told: script.Answer) -> bool:
        self.writer.write(head(200, "text/event-stream; charset=utf-8",
                               [("transfer-encoding", "chunked"), ("cache-control", "no-cache")]))
        for event in events:
            self.writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await self.writer.drain()
            # Lets the events travel apart, as a model's do.
            await asyncio.sleep(0.001)
        match told.breaks:
            case "wait":
                return await self.watch(record)
            case "cut":
                return False
            case "error":
                self.writer.write(b"0\r\n\r\n")
                return False
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        return True

    async def watch(self, record: dict) -> bool:
        """Says nothing more, and notes when the other side closes."""
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self.reader.read(1)
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        await self.seen.note(record, closed=True, closed_at=time.monotonic())
        return False

    async def fault(self, wire, fault: script.Fault) -> None:
        limits = {"x-ratelimit-remaining-requests": "0"} if wire is openai_wire else {
            "anthropic-ratelimit-requests-remaining": "0"}
        more = fault.headers | (limits if fault.status == 429 else {})
        await self.json(fault.status, wire.error(fault), more)

    async def json(self, status: int, data: object, more: dict[str, str] | None = None) -> None:
        await self.send(status, "application/json", json.dumps(data).encode(), more)

    async def send(self, status: int, kind: str, body: bytes, more: dict | None = None) -> None:
        fields = [("content-length", len(body)), ("request-id", "req_stub"),
                  ("x-request-id", "req_stub"), *(more or {}).items()]
        self.writer.write(head(status, kind, fields) + body)
        await self.writer.drain()


def head(status: int, kind: str, fields: list) -> bytes:
    lines = [f"HTTP/1.1 {status} Stub", f"content-type: {kind}"]
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def main() -> None:
    seen = Seen()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(reader, writer, seen).run()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=HEAD_BYTES_MAX)
    port = server.sockets[0].getsockname()[1]
    print(f"listening on 127.0.0.1:{port}", flush=True)
    # The tests hold our standard input: when they are gone, so are we.
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
