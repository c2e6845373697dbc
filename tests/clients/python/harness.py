"""What the Python client tests stand on: the stub provider, the gateway, and what the stub saw."""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
KEY = "rw-client-key"
NARROW_KEY = "rw-narrow-key"
START_SECONDS_MAX = 20
PNG = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
       "rkJggg==")
PDF = "JVBERi0xLjQKJSVFT0YK"

WEATHER_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"], "$ref": "#/$defs/u"}},
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"u": {"type": "string"}},
}


def address_of(process: subprocess.Popen, stream, name: str) -> str:
    """Waits for `listening on ADDRESS`, which both programs print first."""
    deadline = time.monotonic() + START_SECONDS_MAX
    said = b""
    while time.monotonic() < deadline:
        if select.select([stream], [], [], 0.2)[0]:
            more = os.read(stream.fileno(), 4096)
            said += more
            for line in said.decode(errors="replace").splitlines(keepends=True):
                if "listening on " in line and line.endswith("\n"):
                    return line.split("listening on ", 1)[1].split()[0]
            if not more:
                break
    process.kill()
    raise RuntimeError(f"{name} did not start:\n{said.decode(errors='replace')}")


class Stub:
    """The scripted provider, and what it saw."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "stub" / "provider.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.address = address_of(self.process, self.process.stdout, "the stub provider")

    def ask(self, path: str) -> list[dict]:
        url = f"http://{self.address}/_stub/{path}"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=15) as r:
            return json.load(r)

    def reset(self) -> None:
        self.ask("reset")

    def seen(self) -> list[dict]:
        return self.ask("seen")

    def last(self) -> dict:
        """The only request since the test began."""
        seen = self.seen()
        assert len(seen) == 1, [(r["path"], (r["body"] or {}).get("model")) for r in seen]
        return seen[0]

    def body(self) -> dict:
        return self.last()["body"]

    def wait_got(self, count: int = 1) -> list[dict]:
        return self.ask(f"wait?state=got&count={count}")

    def wait_closed(self, count: int = 1) -> list[dict]:
        return self.ask(f"wait?state=closed&count={count}")

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(5)


class Gateway:
    """The built gateway on a configuration, in front of a stub."""

    def __init__(self, config: str, stub: Stub) -> None:
        binary = os.environ.get("RINGWAY_BIN", str(HERE.parent.parent / "target/debug/ringway"))
        text = (HERE / config).read_text()
        text = text.replace("STUB/", f"{stub.address}/")
        text = re.sub(r"DIGEST\((.+?)\)", lambda found: digest(found[1]), text)
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "ringway.toml"
        path.write_text(text)
        keys = {"STUB_OPENAI_KEY": "sk-stub-key", "STUB_ANTHROPIC_KEY": "sk-ant-stub-key"}
        driver = os.environ.get("RINGWAY_DRIVER", "auto")
        self.process = subprocess.Popen(
            [binary, "serve", "--config", str(path), "--driver", driver],
            env=keys, stderr=subprocess.PIPE)
        self.url = "http://" + address_of(self.process, self.process.stderr, binary)

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(10) == 0, "the gateway did not drain"
        self.folder.cleanup()


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
