"""Claude Code as people run it in scripts: one prompt, its own home, what it printed."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness import KEY

BINARY = Path(__file__).resolve().parent / "node_modules" / ".bin" / "claude"
RUN_SECONDS_MAX = 50
# The stub's script asks for this file by its name in the folder where the client runs.
NOTE = "The note says: 42 «ü»"


@dataclass
class Run:
    code: int
    events: list[dict]

    @property
    def result(self) -> dict:
        assert self.events and self.events[-1]["type"] == "result", self.events
        return self.events[-1]

    def blocks(self, kind: str) -> list[dict]:
        return [block for event in self.events if event["type"] in ("assistant", "user")
                for block in event["message"]["content"] if block["type"] == kind]


class Client:
    def __init__(self, gateway, folder: Path) -> None:
        self.gateway = gateway
        self.home = folder / "home"
        self.work = folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        (self.work / "note.txt").write_text(NOTE + "\n")

    def run(self, model: str, prompt: str = "Do what is needed.", **env: str) -> Run:
        """Nothing of the user's own environment or settings decides where this connects."""
        told = {
            "HOME": str(self.home),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "ANTHROPIC_BASE_URL": self.gateway.url,
            "ANTHROPIC_AUTH_TOKEN": KEY,
            "ANTHROPIC_MODEL": model,
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
        } | env
        done = subprocess.run(
            [BINARY, "-p", prompt, "--output-format", "stream-json", "--verbose",
             "--allowedTools", "Bash(echo:*)", "Read"],
            cwd=self.work, env=told, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=RUN_SECONDS_MAX)
        lines = done.stdout.splitlines()
        return Run(done.returncode, [json.loads(line) for line in lines if line.startswith("{")])


def version() -> str:
    return subprocess.run([BINARY, "--version"], check=True, capture_output=True, text=True,
                          timeout=RUN_SECONDS_MAX).stdout.strip()
