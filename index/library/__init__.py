"""The memory, joined: files in, passages out, and nothing ever half-changed.

`library.py` is what others see of it and documents each method; behind it stand what is in the
library (`contents.py`), its search (`passage_search.py`), its changes (`changes.py`), and what it
embeds with (`encoding.py`). What a program hands in is checked first (`arguments.py`).
"""

from index.library.arguments import LONGEST_TAG, check_scope
from index.library.library import Library

__all__ = ["LONGEST_TAG", "Library", "check_scope"]
