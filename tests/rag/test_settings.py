"""Settings come from the environment once; the library's place is decided and never created."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.errors import InputError
from index.system.cpu import container_cores, usable_cores
from rag.settings import (
    _default_store,
    load_settings,
    store_path,
)

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what the person who runs it has set."""
    for name in (
        "STORE",
        "MODEL",
        "THREADS",
        "HOST",
        "PORT",
        "PASSWORD",
        "API_KEY",
        "TRUSTED_PROXY",
    ):
        monkeypatch.delenv(f"PILCROW_{name}", raising=False)


def test_the_page_listens_on_this_machine_only_unless_told() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.password) == ("127.0.0.1", 7860, None)


def test_every_setting_is_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILCROW_THREADS", "3")
    monkeypatch.setenv("PILCROW_MODEL", "a.gguf")
    monkeypatch.setenv("PILCROW_PORT", "8000")
    settings = load_settings()
    assert (settings.threads, settings.model, settings.port) == (3, "a.gguf", 8000)


def test_a_password_does_not_show_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILCROW_PASSWORD", "open sesame")
    settings = load_settings()
    assert "sesame" not in repr(settings)
    assert settings.password is not None
    assert settings.password.get_secret_value() == "open sesame"


@pytest.mark.fault("G43")
@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("PASSWORD", "caf\udce9", "letters that are no text"),
        ("API_KEY", "caf\udce9", "other letters than ASCII"),
        ("API_KEY", "schlüssel", "other letters than ASCII"),
        ("API_KEY", "two words", "other letters than ASCII"),
        ("MODEL_KEY", "sch\u0142\u00fcssel", "other letters than ASCII"),
    ],
)
def test_a_secret_that_nobody_could_give_is_refused_without_showing_it(
    name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PILCROW_{name}", value)
    with pytest.raises(InputError, match=f"PILCROW_{name} cannot be used: .*{why}") as refused:
        load_settings()
    assert value not in str(refused.value) and "\n" not in str(refused.value)


def test_no_proxy_is_trusted_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().trusted_proxy is None
    monkeypatch.setenv("PILCROW_TRUSTED_PROXY", "192.0.2.7")
    assert str(load_settings().trusted_proxy) == "192.0.2.7/32"


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILCROW_MODEL", "")
    assert load_settings().model is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PILCROW_PORT", "eighty"),
        ("PILCROW_PORT", "0"),
        ("PILCROW_THREADS", "0"),
        ("PILCROW_TRUSTED_PROXY", "everybody"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"^{name}='{value}' cannot be used: [^\n]+$"):
        load_settings()


def test_at_least_one_core_is_usable() -> None:
    assert usable_cores() >= 1


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("200000 100000\n", 2), ("150000 100000\n", 2), ("50000 100000\n", 0), ("max 100000\n", None)],
)
def test_a_container_quota_limits_the_cores(tmp_path: Path, quota: str, cores: int | None) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert container_cores(tmp_path / "cpu.max") == cores


def test_a_machine_without_quota_has_none(tmp_path: Path) -> None:
    assert container_cores(tmp_path / "absent") is None


def test_the_flag_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PILCROW_STORE", str(tmp_path / "environment"))
    assert store_path(tmp_path / "flag") == tmp_path / "flag"
    assert store_path() == tmp_path / "environment"


def test_a_checkout_keeps_its_library_in_index_built() -> None:
    assert store_path() == CHECKOUT / "index" / "built"


def test_an_installed_package_keeps_its_library_in_the_users_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    place = _default_store(tmp_path / "site-packages")
    assert place.name == "pilcrow"
    assert "site-packages" not in place.parts


@pytest.mark.parametrize("manifest", ['[project]\nname = "other"\n', "not toml", ""])
def test_another_projects_manifest_does_not_make_a_checkout(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "pyproject.toml").write_text(manifest)
    assert _default_store(tmp_path) != tmp_path / "index" / "built"


def test_deciding_creates_nothing(tmp_path: Path) -> None:
    assert not Path(str(store_path(tmp_path / "new" / "place"))).parent.exists()


@pytest.mark.fault("G33")
def test_a_tilde_is_a_letter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert store_path("~/shelf") == store_path(Path("./~/shelf")) == tmp_path / "~" / "shelf"
