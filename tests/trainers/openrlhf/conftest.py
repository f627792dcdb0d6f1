"""Loads OpenRLHF, where it is installed, before any test does: its imports warn of much."""

import os
import warnings
from importlib.util import find_spec

if find_spec("openrlhf"):
    from trainers.openrlhf import cpu

    os.environ |= cpu.ENVIRONMENT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cpu.install()  # its models want flash-attn
