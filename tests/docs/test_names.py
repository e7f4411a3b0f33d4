"""docs/names.md shows the tables of hints as they are."""

from pathlib import Path

from tinygrad_seq.engine.hints import ARGUMENTS, ATTRIBUTES


def test_the_page_shows_the_tables():
    page = (Path(__file__).resolve().parents[2] / "docs" / "names.md").read_text(encoding="utf-8")
    shown = [line for line in page.splitlines() if line.startswith("| `")]
    hints = [row for table in (ATTRIBUTES, ARGUMENTS) for row in table.items()]
    tables = [f"| `{name}` | {hint.replace('|', chr(92) + '|')} |" for name, hint in hints]  # a bar ends a cell
    assert shown[-len(tables) :] == tables
