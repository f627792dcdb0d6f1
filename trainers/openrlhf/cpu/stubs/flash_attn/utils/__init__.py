"""Stands for flash-attn's utilities."""
