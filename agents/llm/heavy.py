"""Imports of heavy libraries, late and with a helpful error."""

from __future__ import annotations

import importlib
from typing import Any


def require(module: str, extra: str) -> Any:
    """Returns a module that only some users have installed.

    Args:
        module: what to import.
        extra: the extra of this project that brings it.

    Raises:
        ImportError: it is not there; the message has the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module} could not be imported ({error}); install it with: "
            f"pip install -e '.[{extra}]' (see docs/llm.md)"
        ) from error
