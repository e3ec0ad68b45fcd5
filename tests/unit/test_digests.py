"""Which keys were seen: equal to a set of texts, whatever way they came in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.lake import digests
from imagelake.lake.digests import Digests
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from imagelake.lake.tables import row_keys, table_def
from tests.jobs.downloading import put

TEXTS = st.lists(st.text(max_size=5), max_size=30)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_it_is_a_set(steps: list[tuple[list[str], list[str]]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digests, "MERGE", 7)  # merged into the sorted array again and again
        seen, model = Digests(), set[str]()
        for added, asked in steps:
            assert seen.unseen(asked) == set(asked) - model
            assert seen.known(asked) == set(asked) & model
            seen.add(added)
            model.update(added)
            assert all(text in seen for text in added)


def test_keys_of_a_table_are_those_of_its_rows(lake: Lake) -> None:
    names = ["/1/a", "/1/ä", "/1/b c", "\N{SNOWMAN}"]
    put(lake, "records", [{"provider": "p", "source_id": name, "raw": "{}"} for name in names])
    with Session(lake) as session:
        keys = row_keys(session.arrow("select provider, source_id from records"), table_def("records").key)
        seen = Digests.of_keys(session, "records")
        nothing = Digests.of_keys(session, "fetches")
    assert seen.known([*keys, "p\x1f/1/c"]) == set(keys)
    assert nothing.unseen(keys) == set(keys)
