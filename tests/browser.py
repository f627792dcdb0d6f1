"""A headless Chromium for tests, spoken to over its DevTools protocol.

async with opened(tmp_path) as page:
    await page.go("http://127.0.0.1:8090/")
    await page.until("document.querySelector('table')")
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")

CONTRAST = Path(__file__).with_name("contrast.js").read_text("utf-8")
"""A script that finds the texts of a page that are hard to read."""

_KEYS = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "Tab": 9}


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.errors: list[str] = []
        """What the console showed as an error, and what was thrown."""
        self.address = ""
        """For tests: of the page that they look at."""
        self.reading = asyncio.create_task(self._read())

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Does what the protocol calls a method."""
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        message = {"id": self._number, "method": method, "params": parameters}
        await self._socket.send_str(json.dumps(message))
        return await asyncio.wait_for(answer, 60)

    async def go(self, address: str) -> None:
        await self.call("Page.navigate", url=address)
        await self.until("document.readyState === 'complete'")

    async def run(self, script: str) -> Any:
        """Returns what a script is worth; waits when it is a promise."""
        done = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in done:
            raise AssertionError(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    async def until(self, script: str, seconds: float = 30.0) -> float:
        """Waits until a script is worth something true; returns after how many seconds."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            with contextlib.suppress(AssertionError):  # in mid-navigation
                if await self.run(f"Boolean({script})"):
                    return time.monotonic() - began
            await asyncio.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {script}; the page: {await self.text()}")

    async def text(self) -> str:
        return str(await self.run("document.body.innerText"))[:2000]

    async def press(self, *keys: str) -> None:
        for key in keys:
            about = {"key": key, "windowsVirtualKeyCode": _KEYS.get(key, ord(key[0].upper()))}
            letter = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            await self.call("Input.dispatchKeyEvent", type="keyDown", **about, **letter)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **about)
            await asyncio.sleep(0.05)

    async def size(self, width: int, height: int, *, dark: bool = False) -> None:
        mobile = width < 600
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                        deviceScaleFactor=1, mobile=mobile)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self, path: Path) -> None:
        shot = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    async def _read(self) -> None:
        async for message in self._socket:
            data = json.loads(message.data)
            if "id" in data:
                answer = self._answers.pop(data["id"])
                if "error" in data:
                    answer.set_exception(AssertionError(str(data["error"])))
                else:
                    answer.set_result(data["result"])
                continue
            told = data["params"]
            if data["method"] == "Runtime.exceptionThrown":
                self.errors.append(str(told["exceptionDetails"]))
            elif data["method"] == "Runtime.consoleAPICalled" and told["type"] == "error":
                self.errors.append(str(told["args"]))
            elif data["method"] == "Log.entryAdded" and told["entry"]["level"] == "error":
                self.errors.append(f"{told['entry']['text']} {told['entry'].get('url')}")


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Page]:
    """Starts a browser whose profile is in `folder`, and ends it; gives its one tab."""
    profile = folder / "profile"
    process = await asyncio.create_subprocess_exec(
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port = await _port_of(profile / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tabs = await answer.json(content_type=None)
            address = next(tab for tab in tabs if tab["type"] == "page")["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await page.call(f"{domain}.enable")
                yield page
                page.reading.cancel()
    finally:
        process.kill()
        await process.wait()


async def _port_of(file: Path) -> int:
    for _ in range(1500):
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(file.read_text().splitlines()[0])
        await asyncio.sleep(0.02)
    raise AssertionError("Chromium does not listen")
