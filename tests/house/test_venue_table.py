"""The table of venues in the documents is the one that the venues make of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from source_tree import ROOT

from rxstreams._cli.commands import commands
from rxstreams._cli.venue_table import markdown_table, write_table
from rxstreams.sources import venues


@pytest.mark.parametrize("name", ["README.md", "docs/venues.md"])
def test_document_when_it_carries_the_table_then_it_is_the_present_one(name: str) -> None:
    """Renewed by: rxstreams venues --into README.md --into docs/venues.md."""
    assert markdown_table() in (ROOT / name).read_text(encoding="utf-8")


def test_table_when_made_then_has_a_line_for_every_venue() -> None:
    """And two for the headings."""
    lines = markdown_table().splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(venues())
    assert len({line.count("|") for line in lines}) == 1


def test_into_when_a_document_has_an_old_table_then_it_is_renewed_once(tmp_path: Path) -> None:
    """What stands around it stays."""
    path = tmp_path / "page.md"
    text = (ROOT / "docs" / "venues.md").read_text(encoding="utf-8")
    path.write_text(text.replace("| kraken |", "| crackem |"), encoding="utf-8")
    assert CliRunner().invoke(commands, ["venues", "--into", str(path)]).exit_code == 0
    assert path.read_text(encoding="utf-8") == text
    assert not write_table(path)


def test_into_when_a_document_has_no_marks_then_it_is_an_error_and_stays(tmp_path: Path) -> None:
    """It is not known where the table belongs."""
    path = tmp_path / "page.md"
    path.write_text("# Page\n", encoding="utf-8")
    result = CliRunner().invoke(commands, ["venues", "--into", str(path)])
    assert result.exit_code == 1
    assert "venues end" in result.output
    assert path.read_text(encoding="utf-8") == "# Page\n"
