"""Hooks of the site's build: README.md is its first page, and links out of `docs/` become names.

The pages are written to be read in the repository, where they link to code. The site has no code,
so such a link becomes its words and the path; every other link is held to by `strict`.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(
    r"```.*?```|`[^`\n]*`|"  # what stands in code is no link
    r"(?<!!)\[(?P<words>[^\]]+)\]\((?!\w+://|#|/)(?P<target>[^)#\s]+)(?P<anchor>#[^)]*)?\)",
    re.DOTALL,
)


def on_files(files: Any, config: Any) -> Any:
    """Adds README.md as the index."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - the extra `docs`

    text = (ROOT / "README.md").read_text("utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "index.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns links to files outside of `docs/` into text.

    Raises:
        ValueError: such a file is not there.
    """
    home = "" if page.file.src_uri == "index.md" else "docs"

    def replaced(match: re.Match[str]) -> str:
        words, target, anchor = match.group("words", "target", "anchor")
        if words is None:
            return match[0]
        path = posixpath.normpath(posixpath.join(home, target))
        inside = path.removeprefix("docs/") if home else path
        if path == "README.md":
            return f"[{words}](index.md{anchor or ''})"
        if (ROOT / "docs" / inside).is_file() and (path.startswith("docs/") or not home):
            return match[0]
        if not (ROOT / path).exists():
            raise ValueError(f"{page.file.src_uri}: a link leads to {path}, which is not there")
        return words if path in words or "`" in words else f"{words} (`{path}`)"

    return _LINK.sub(replaced, markdown)
