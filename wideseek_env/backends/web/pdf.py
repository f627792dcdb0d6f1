"""Text of a PDF, read in a process of its own: a hostile file can neither hang nor fill us.

`python -m wideseek_env.backends.web.pdf MAX_CHARS MAX_MIB` reads the file from standard input and
writes JSON, title and text, to standard output.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys

from wideseek_env.errors import ToolError
from wideseek_env.plugins import require

MAX_MIB = 1024
"""Memory that the reading process may use."""


async def read_pdf(data: bytes, *, max_chars: int, deadline_s: float) -> tuple[str, str]:
    """Gives title and text of a PDF, the text at most `max_chars` characters.

    Raises:
        ToolError: it cannot be read, or not before the deadline.
        MissingExtra: pypdf is not installed.
    """
    require("pypdf", "web")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "wideseek_env.backends.web.pdf",
        str(max_chars),
        str(MAX_MIB),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(deadline_s):
            out, _ = await process.communicate(data)
    except TimeoutError as error:
        raise ToolError("This PDF takes too long to read.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise ToolError("This PDF cannot be read.")
    title, text = json.loads(out)
    return str(title), str(text)


def _main(max_chars: int, max_mib: int) -> None:
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - not on Windows, which has no such limit

        resource.setrlimit(resource.RLIMIT_AS, (max_mib << 20, max_mib << 20))
    reader = require("pypdf", "web").PdfReader(io.BytesIO(sys.stdin.buffer.read()))
    texts, size = [], 0
    for page in reader.pages:
        text = page.extract_text() or ""
        texts.append(text)
        size += len(text)
        if size >= max_chars:
            break
    title = str((reader.metadata or {}).get("/Title") or "")
    text = "\n".join(texts)[:max_chars]
    sys.stdout.buffer.write(json.dumps([title, text]).encode())


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
