"""Holds the admin API of a running gateway against its OpenAPI document, by schemathesis."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ADMIN_KEY = "admin-key-of-the-client-tests"
START_SECONDS_MAX = 20
EXAMPLES = "40"


def admin_address(process: subprocess.Popen) -> str:
    """Waits for `admin on ADDRESS`."""
    deadline = time.monotonic() + START_SECONDS_MAX
    said = b""
    while time.monotonic() < deadline:
        if select.select([process.stderr], [], [], 0.2)[0]:
            more = os.read(process.stderr.fileno(), 4096)
            said += more
            for line in said.decode(errors="replace").splitlines(keepends=True):
                if "admin on " in line and line.endswith("\n"):
                    return line.split("admin on ", 1)[1].split()[0]
            if not more:
                break
    process.kill()
    raise RuntimeError(f"the gateway did not start:\n{said.decode(errors='replace')}")


def main() -> int:
    root = HERE.parent.parent.parent
    binary = os.environ.get("RINGWAY_BIN", str(root / "target/debug/ringway"))
    driver = os.environ.get("RINGWAY_DRIVER", "auto")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(HERE / "gateway.toml", folder)
        shutil.copy(HERE / "schemathesis.toml", folder)
        gateway = subprocess.Popen(
            [binary, "serve", "--config", "gateway.toml", "--driver", driver],
            cwd=folder, env={"ADMIN_KEY": ADMIN_KEY}, stderr=subprocess.PIPE)
        try:
            url = f"http://{admin_address(gateway)}"
            document = Path(folder) / "openapi.json"
            asked = urllib.request.Request(
                f"{url}/api/openapi.json", headers={"authorization": f"Bearer {ADMIN_KEY}"})
            with urllib.request.urlopen(asked) as answer:
                document.write_bytes(answer.read())
            schemathesis = Path(sys.executable).parent / "schemathesis"
            done = subprocess.run(
                [schemathesis, "run", document, "--url", url, "--no-color", "--max-examples", EXAMPLES,
                 "--generation-deterministic"],
                cwd=folder, env={**os.environ, "ADMIN_KEY": ADMIN_KEY}, check=False)
            is_up = gateway.poll() is None
        finally:
            gateway.terminate()
        assert is_up, "the gateway ended meanwhile"
        assert gateway.wait(10) == 0, "the gateway did not drain"
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
