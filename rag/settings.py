"""What a person may set, read once at the top; everything below takes plain arguments."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from index.errors import InputError
from index.storage.postgres.address import Place, is_address, parse_address
from index.system.cpu import usable_cores
from index.tokenization import sound

DISTRIBUTION = "pilcrow-rag"
"""What package indexes call it; `pilcrow` there is another project."""


class Settings(BaseSettings):
    """Each field is also an environment variable: `store` is `PILCROW_STORE`, and so on."""

    # An empty variable counts as not set, as people expect of `PILCROW_MODEL= pilcrow ask …`.
    model_config = SettingsConfigDict(
        env_prefix="PILCROW_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    store: str | None = Field(default=None, repr=False)
    """Where the library lives: a folder, or `postgresql://USER@HOST/DATABASE`, which may hold a
    password; see `store_path` for what None means."""
    model: str | None = None
    """A GGUF file, a name of the catalogue or `openai:MODEL@URL` to answer with; None is what
    `pilcrow model use` chose, else the model from its package."""
    model_key: SecretStr | None = None
    """The key of the model server that `model` names; sent to that address alone."""
    models: Path | None = None
    """Where fetched models are; None is a folder in the user's cache folder."""
    encoder: str | None = None
    """What embeds: `english`, a name of `pilcrow model list`, a sentence-transformers folder or the
    id of one in the local cache; None is what the library was made with."""
    language: str | None = None
    """What the command line speaks to a person: the code of a language of the page; None is the
    terminal's own (LC_ALL, LC_MESSAGES, LANG)."""
    threads: int = Field(default_factory=usable_cores, ge=1, le=1024)
    """The one knob for threads: encoder, search and language model all keep to it."""
    gpu_layers: int | None = Field(default=None, ge=0)
    """Layers of the language model that run on a GPU; None is all of them where llama.cpp was built
    for one, else none."""
    judge: bool = True
    """Whether a capable language model is asked about statements of its own that are in doubt."""
    reader: str = "own"
    """What reads the best passages closely: `own` is our network, `none` nothing, anything else a
    cross-encoder, its folder or its name."""
    host: str = "127.0.0.1"
    """Address the page listens on; only this machine unless changed."""
    port: int = Field(default=7860, ge=1, le=65535)
    password: SecretStr | None = None
    """Asked for by the page when set."""
    api_key: SecretStr | None = None
    """Asked for by `pilcrow serve` and `mcp --http`, and beside the page, when set."""
    own_network: IPvAnyNetwork | None = None
    """A network of one's own whose pages may be added too; else only those of public addresses."""
    trusted_proxy: IPvAnyNetwork | None = None
    """Address or network of a proxy before the page, believed when it says who asks."""
    account_header: str = ""
    """The header in which that proxy names the account of whoever has signed in there."""
    account_default_role: Literal["", "reader", "editor", "admin"] = ""
    """What somebody may be whom the proxy names and who has no account yet; empty for nothing."""

    @field_validator("account_header")
    @classmethod
    def _is_a_header(cls, name: str) -> str:
        if name and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", name):
            raise ValueError("it is no name of a header, like X-Forwarded-User")
        if name.lower() in ("authorization", "cookie", "host", "origin"):
            raise ValueError("browsers and programs send this header themselves")
        return name

    @field_validator("password")
    @classmethod
    def _can_be_typed(cls, password: SecretStr | None) -> SecretStr | None:
        if password and sound(password.get_secret_value()) != password.get_secret_value():
            raise ValueError("it has letters that are no text in UTF-8")
        return password

    @field_validator("api_key", "model_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key and not re.fullmatch(r"[!-~]+", key.get_secret_value()):
            raise ValueError("it has other letters than ASCII, or blanks, which no header carries")
        return key


def load_settings() -> Settings:
    """The settings from the environment; InputError names the variable that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        secret = "SecretStr" in str(Settings.model_fields[field].annotation)
        given = "" if secret else f"={first['input']!r}"
        words = first["msg"].removeprefix("Value error, ")
        raise InputError(f"PILCROW_{field.upper()}{given} cannot be used: {words}") from None


def store_path(flag: str | Path | None = None) -> Place:
    """Where the library lives. Decides only, never creates or asks anything.

    The first of: `flag`, `PILCROW_STORE`, `index/built` when running from a checkout, the user's
    data folder.
    """
    chosen = flag or load_settings().store
    if isinstance(chosen, str) and is_address(chosen):
        return parse_address(chosen)
    if chosen:
        return Path(chosen).absolute()
    return _default_store(Path(__file__).resolve().parent.parent)


def _default_store(home: Path) -> Path:
    """The library's place when nobody chose one; `home` is the folder that holds our packages."""
    if _is_checkout(home):
        return home / "index" / "built"
    import platformdirs

    return platformdirs.user_data_path("pilcrow", appauthor=False)


def _is_checkout(home: Path) -> bool:
    """Whether `home` is this project's source tree and not, say, site-packages."""
    try:
        project = tomllib.loads((home / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(project.get("project", {}).get("name") == DISTRIBUTION)


def installed_version() -> str:
    """The version that is installed; `unknown` where nothing says."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
