"""How a sentence-transformers folder says that its network is to be read, and how we write one.

Only plain JSON is looked at; nothing in the folder is run. What a network needs beyond pieces,
their mean or the first of them, and a length of 1 is refused in one line, not read wrongly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from index.errors import ModelMissing

WINDOW = 512
"""Word pieces that are read at once at most: longer passages are found better in parts."""
_MODULES = {"Transformer", "Pooling", "Normalize"}
_PASSAGE_NAMES = ("document", "passage", "corpus")


@dataclass(frozen=True, slots=True)
class Prompts:
    """What is put before a text so that the network knows what it is."""

    query: str = ""
    passage: str = ""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a folder says of its network."""

    dimension: int
    max_pieces: int
    """Word pieces it reads, special tokens included, at most `WINDOW`."""
    pooling: Literal["mean", "cls"]
    """What stands for a text: the mean of its pieces, or the first."""
    prompts: Prompts


def read_settings(folder: Path) -> ModelSettings:
    """What a folder says of its network.

    Raises:
        ModelMissing: it is no such folder, or its network is of a sort that is not read here.
    """
    config = _read(folder / "config.json")
    limits = _read(folder / "sentence_bert_config.json", {})
    modules = _read(folder / "modules.json", [])
    kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
    others = sorted({*kinds} - _MODULES)
    if others:
        raise ModelMissing(
            f"the embedding model in {str(folder)!r} ends in {', '.join(others)}, which is not "
            "read here: choose one of a transformer, pooling and normalisation"
        )
    longest = limits.get("max_seq_length") or config["max_position_embeddings"]
    place = modules[kinds.index("Pooling")]["path"] if "Pooling" in kinds else None
    pooling = _read(folder / place / "config.json") if place else {}
    return ModelSettings(
        dimension=int(config["hidden_size"]),
        max_pieces=min(int(longest), WINDOW),
        pooling=_pooling(pooling, folder),
        prompts=_prompts(_read(folder / "config_sentence_transformers.json", {})),
    )


def _pooling(config: Mapping[str, Any], folder: Path) -> Literal["mean", "cls"]:
    """The pooling that a configuration names; the mean where none does, as the library has it."""
    named = config.get("pooling_mode")
    modes = {named} if isinstance(named, str) else {
        name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
        for name, chosen in config.items()
        if name.startswith("pooling_mode_") and chosen is True
    }  # fmt: skip
    if modes <= {"mean"}:
        return "mean"
    if modes == {"cls"}:
        return "cls"
    raise ModelMissing(
        f"the embedding model in {str(folder)!r} takes {' and '.join(sorted(modes))} of its "
        "pieces for a text; here it is their mean or the first"
    )


def _prompts(config: Mapping[str, Any]) -> Prompts:
    """What a configuration has read before a question and before a passage."""
    prompts = config.get("prompts") or {}
    default = prompts.get(config.get("default_prompt_name") or "", "")
    passage = next((prompts[name] for name in _PASSAGE_NAMES if name in prompts), default)
    return Prompts(str(prompts.get("query", default)), str(passage))


def write_settings(folder: Path, config: Mapping[str, Any], prompts: Prompts) -> None:
    """Write the small files of a folder: mean of the pieces, length 1.

    Args:
        folder: is there.
        config: the network as transformers describes it.
        prompts: what it was trained to read before a text.
    """
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(
            [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
        )
    ]
    longest = config["max_position_embeddings"]
    files: dict[str, Any] = {
        "config.json": dict(config),
        "modules.json": modules,
        "1_Pooling/config.json": {
            "word_embedding_dimension": config["hidden_size"],
            "pooling_mode_mean_tokens": True,
        },
        "sentence_bert_config.json": {"max_seq_length": longest, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": prompts.query, "document": prompts.passage},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": longest,
            "bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>",
            "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>",
        },
    }  # fmt: skip
    for module in modules:
        (folder / str(module["path"])).mkdir(exist_ok=True)
    for name, values in files.items():
        (folder / name).write_text(json.dumps(values, indent=2), encoding="utf-8")


def _read(path: Path, default: Any = None) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if default is not None:
            return default
        raise ModelMissing(f"no {path.name} in {str(path.parent)!r}: not a model folder") from None
    except (OSError, ValueError) as error:
        raise ModelMissing(f"{str(path)!r} cannot be read ({error}): not a model folder") from None
