"""Formulas for pages without a network: TeX between dollars becomes MathML, which browsers draw by themselves."""

import re

from latex2mathml.converter import convert

# Code comes first: a dollar in it is no formula.
CODE_OR_FORMULA = re.compile(r"(?P<code>```.*?```|`[^`\n]*`)|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\n]+?)\$", re.DOTALL)


def with_mathml(markdown: str) -> str:
    """Markdown whose formulas, $inline$ and $$displayed$$, are MathML."""
    return CODE_OR_FORMULA.sub(_replacement, markdown)


def _replacement(found: re.Match) -> str:
    if found["code"]:
        return found["code"]
    if found["block"]:
        return convert(found["block"].strip(), display="block")
    return convert(found["inline"])
