"""What OpenRLHF imports for ring attention, which has no CPU form."""

from __future__ import annotations

from typing import Any


def all_gather(tensor: Any, group: Any) -> Any:
    """Says that there is none.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("ring attention needs flash-attn and a GPU")
