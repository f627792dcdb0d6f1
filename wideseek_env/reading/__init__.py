"""Rule-based reading of what agents are shown: pages, search results, questions, values.

Scripted agents and the discrete interface read with it; it knows the phrases that closed worlds
are written in, and no name, value, task or gold of any.
"""
