"""Stands for flash-attn on a machine without a GPU: what OpenRLHF imports, and no attention."""
