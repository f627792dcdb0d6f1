"""How long tests with made-up inputs look for one that fails.

`WIDESEEK_FUZZ=100 python -m pytest -m hypothesis --timeout 0` looks at a hundred times as many.
"""

import os

_TIMES = int(os.environ.get("WIDESEEK_FUZZ", "1"))


def examples(num: int) -> int:
    """Returns how many inputs a test looks at that looks at `num` of them in an ordinary run."""
    return num * _TIMES
