"""Broad tasks with exact gold tables out of any corpus of pages: the program comes first.

`relations` reads typed relations from pages, `drawing` draws a program over them (filters, top-k,
joins, columns), `programs` executes it for the gold table, `questions` puts it into words,
`fairness` throws out what is unfair, `pagecheck` looks every gold cell up on its page again, and
`stages` does all of it in steps that can be resumed. No language model is asked.
"""
