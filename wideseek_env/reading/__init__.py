"""Rule-based reading of what agents are shown: pages, search results, questions, values.

Scripted agents and the discrete interface read with it; it knows no world, task or gold.
"""
