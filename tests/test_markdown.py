"""Tables in Markdown, and the place in a README that a script writes."""

import pandas as pd
import pytest

from selfdana_lite.markdown import markdown_table, write_section

BEGIN, END = "<!-- costs:begin -->", "<!-- costs:end -->"


def test_a_table_has_a_head_a_rule_and_a_row_each():
    frame = pd.DataFrame({"model": ["ours", "usual"], "MB": [1, 2.5]}, index=[7, 8])
    assert markdown_table(frame).splitlines() == ["| model | MB |", "| --- | --- |", "| ours | 1.0 |", "| usual | 2.5 |"]


def test_the_readme_changes_between_the_markers_and_nowhere_else(tmp_path):
    readme = tmp_path / "README.md"
    before, after = "# Kit\n\nText with é, | and ±.\n\n", "\n\n<!-- other:begin -->\nno newline at the end"
    readme.write_text(f"{before}{BEGIN}\nold table\n{END}{after}")
    for text in ("| new |", "| newer |"):
        write_section(readme, "costs", text)
        assert readme.read_text() == f"{before}{BEGIN}\n{text}\n{END}{after}"


@pytest.mark.parametrize("text", ["no markers", f"{BEGIN} only", f"{END} only", f"{END} the wrong way round {BEGIN}"])
def test_a_readme_without_its_markers_is_refused_and_left_alone(tmp_path, text):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(ValueError, match=rf"README.md lacks the markers {BEGIN} and {END}; put them where"):
        write_section(readme, "costs", "| new |")
    assert readme.read_text() == text
