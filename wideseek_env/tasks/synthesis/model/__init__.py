"""The stages of synthesis that ask a language model, through any OpenAI-compatible server.

`stages` has them in one table and takes each task through them; `prompts` is what is asked,
`readback` reads a program back from a question, `asking` keeps every reply that was paid for, and
`purse` stops before more is spent than allowed.
"""
