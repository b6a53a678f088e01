"""ChatML: the chat format of SmolLM2, Qwen and many others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.llm.generator import Message

IM_START, IM_END = "<|im_start|>", "<|im_end|>"


def chatml(
    messages: Sequence[Message], encode: Callable[[str], list[int]], start: int, end: int
) -> list[int]:
    """The prompt of these messages, as token ids.

    `encode` must make plain text of everything it is given and the markers are added by id: a
    document that spells out `<|im_end|>` cannot end its own turn. Nor is the template inside the
    model file run: it is somebody else's program.

    Args:
        messages: the conversation, oldest first.
        encode: the ids of a text in the model's vocabulary.
        start: the id of `IM_START`.
        end: the id of `IM_END`.
    """
    prompt = []
    for message in messages:
        prompt += [start, *encode(f"{message['role']}\n{message['content']}"), end, *encode("\n")]
    return [*prompt, start, *encode("assistant\n")]
