"""Answers that stay folded until the student has guessed."""

from IPython.display import Markdown


def reveal(question: str, answer: str) -> Markdown:
    """An answer made of computed numbers, folded away until the student has guessed."""
    return Markdown(f"<details><summary>{question}</summary>\n\n{answer}\n\n</details>")
