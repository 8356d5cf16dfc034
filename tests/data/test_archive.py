"""The index of an uploaded archive, as it is stored."""

from data.archive import ArchiveIndex, SplitMembers
from data.decode import DecodingRules


def test_stored_index_keeps_the_names_of_its_fields() -> None:
    train = SplitMembers((("a",), ("b",)), tiles=((2,), (1,)))
    index = ArchiveIndex(train, SplitMembers((("c",),), (1,)), True, "tiles", ("b",), DecodingRules(depth=12))
    assert index.to_bytes() == (
        b'{"train":{"piles":[["a"],["b"]],"labels":null,"tiles":[[2],[1]]},'
        b'"held":{"piles":[["c"]],"labels":[1],"tiles":null},'
        b'"halved":true,"fit":"tiles","nearest":["b"],"reading":{"rules":2,"bits":12}}'
    )
