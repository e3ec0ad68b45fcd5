"""Every block of SQL in the documentation runs against a small real lake."""

import re
from pathlib import Path

import pytest

from imagelake.lake.lake import Lake
from imagelake.lake.script import run_script
from imagelake.lake.session import Session
from tests.sql import small

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(text, id=f"{page.stem}-{i}")
    for page in sorted(DOCS.glob("*.md"))
    for i, text in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small.build(tmp_path_factory.mktemp("cookbook"))


@pytest.mark.parametrize("text", BLOCKS)
def test_block(made: Lake, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some blocks write a file
    with Session(made) as session:
        for rows in run_script(session, text, {}):
            rows.read_all()


def test_the_cookbook_is_there() -> None:
    assert len(BLOCK.findall((DOCS / "cookbook.md").read_text(encoding="utf-8"))) >= 15
