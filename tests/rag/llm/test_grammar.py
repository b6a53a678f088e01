"""What a model may write, and when it has written enough."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.llm.grammar import is_complete, pointer_grammar, repeats


class TestGrammar:
    def test_one_pointer_per_id(self) -> None:
        rules = dict(line.split(" ::= ") for line in pointer_grammar([1, 2, 12]).splitlines())
        assert rules["root"] == "line{1,3}"
        assert rules["pointer"] == '"1" | "2" | "12"'
        assert rules["line"] == r'"[" pointer "] " statement "\n"'

    def test_lines(self) -> None:
        assert "root ::= line{1,7}\n" in pointer_grammar([1], lines=7)

    @given(ids=st.lists(st.integers(0, 9999), min_size=1), lines=st.integers(1, 9))
    def test_rule_names_are_llama_cpps_to_extend(self, ids: list[int], lines: int) -> None:
        grammar = pointer_grammar(ids, lines)
        names = re.findall(r"^(\S+) ::= ", grammar, re.MULTILINE)
        assert len(names) == len(set(names)) == len(grammar.splitlines())
        assert all(name.isalpha() for name in names)

    @pytest.mark.parametrize(("ids", "lines"), [([], 3), ([1], 0)])
    def test_nothing_to_point_at(self, ids: list[int], lines: int) -> None:
        with pytest.raises(ValueError, match="needs ids and lines"):
            pointer_grammar(ids, lines)


class TestStopping:
    @pytest.mark.fault("E4")
    @given(st.lists(st.integers(), max_size=20), st.lists(st.integers(), min_size=1, max_size=9))
    def test_a_loop_is_seen(self, before: list[int], loop: list[int]) -> None:
        assert repeats([*before, *loop * 12])

    @given(st.lists(st.integers(0, 3), max_size=40), st.integers(4, 9))
    def test_twice_is_not_a_loop(self, tokens: list[int], other: int) -> None:
        assert not repeats([*tokens, other, *tokens, other])

    @pytest.mark.parametrize(
        ("text", "enough"),
        [
            ("", False),
            ("[1] They met.\n", False),
            ("[1] They met.\n[2] They ate.\n[3] They le", False),
            ("[1] They met.\n[2] They ate.\n[3] They left.\n", True),
            ("[1] They met.\n[1] They met.\n", True),
            ("[1] They met.\n[2] They met.\n", True),
        ],
    )
    def test_enough(self, text: str, enough: bool) -> None:
        assert is_complete(text) is enough
