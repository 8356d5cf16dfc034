"""Define every setting of the service, read once from the environment."""

import hashlib
import os
import re
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core import machine

CHECKOUT = Path(__file__).resolve().parents[2]


ROOT_SEGMENTS = (
    "jobs", "experiments", "augmentations", "compare", "sample", "interpolate", "latent", "translate", "inpaint",
    "upscale", "features", "invert", "edit", "models", "datasets", "recipes", "lectures", "limits", "events", "session",
    "links", "system", "livez", "readyz", "metrics", "version", "openapi.json", "docs", "studio",
)  # fmt: skip
"""first path segments of the service's addresses"""


_ROOT_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


_ORIGIN = re.compile(r"https?://[^\s/@?#,*]+")


def _sqlite_in_home(values: dict[str, Any]) -> str:
    return f"sqlite:///{values['home'] / 'forger.db'}"


def _devices_here(values: dict[str, Any]) -> int:
    """Return the number of GPUs, or of cores if there is none."""
    if values["device"] != "cpu" and (gpus := machine.gpu_count()):
        return gpus
    # A client may run on another system: only Linux reports the cores that a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _comma_separated(names: str | None) -> list[str]:
    """Return the comma-separated names, in lower case."""
    return [name.strip().lower() for name in (names or "").split(",") if name.strip()]


def _is_path(name: str) -> bool:
    return os.sep in name or name.endswith(".py")


def _disk_here(values: dict[str, Any]) -> int:
    """Return the size, in bytes, of the disk that holds the home or will hold it."""
    existing = next(folder for folder in (values["home"], *values["home"].parents) if folder.exists())
    return shutil.disk_usage(existing).total


class Settings(BaseSettings):
    """The settings of the service: FORGER_<NAME> sets a field; DATABASE_URL and REDIS_URL have no prefix."""

    model_config = SettingsConfigDict(
        env_prefix="FORGER_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on. Beyond loopback an API key is required.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    url: str | None = Field(
        None,
        description="Address that the command line and the client use; unset means the service that runs from "
        "FORGER_HOME, or listens at FORGER_HOST and FORGER_PORT.",
    )
    hosts: str | None = Field(
        None,
        description="Host names to answer besides loopback, comma-separated; unset means any if a key is set.",
    )
    root_path: str = Field(
        "",
        description="Path under which a proxy publishes the service, as /forger; links and Location begin with it.",
    )
    cors_origins: str | None = Field(
        None,
        description="Origins of web pages that may use the service, comma-separated, such as https://lab.example; "
        "unset means only its own.",
    )
    home: Path = Field(
        Path("var"),
        description="Folder of database, artifacts, checkpoints and logs; a relative path starts at the checkout.",
    )
    plugins: str | None = Field(
        None,
        description="Modules that add objectives, penalties and families to the installed ones, comma-separated: "
        "importable names, or paths of Python files or packages, relative to the checkout.",
    )
    data: Path | None = Field(
        None, description="Folder with the files of built-in datasets, such as mnist/ and fashion-mnist/."
    )
    device: str = Field("auto", description="Where jobs train: auto, cpu or cuda.")
    threads: int | None = Field(
        None, ge=1, description="Threads that a job computes with; unset means as many as suit its recipe."
    )
    cuda_graphs: bool = Field(
        True, description="Whether a GPU replays a job's steps as CUDA graphs; the weights are the same without them."
    )
    max_devices: int = Field(
        default_factory=_devices_here,
        ge=1,
        description="Most devices that one job uses; unset means this machine's GPUs, or its cores if it has none.",
    )
    slots: int = Field(1, ge=1, le=64, description="Jobs that one worker process trains at the same time.")
    lease_s: float = Field(15.0, gt=0, description="Seconds after which a silent worker loses its job.")
    silence_s: float = Field(300.0, gt=0, description="Seconds without a heartbeat before a runner is killed.")
    cancel_grace_s: float = Field(
        10.0,
        gt=0,
        description="Seconds that a cancelled job has to finish its step before its runner is killed.",
    )
    stop_grace_s: float = Field(
        20.0, gt=0, description="Seconds that a stopping worker gives its jobs to finish a step and save."
    )
    ring_interval_s: float = Field(5.0, gt=0, description="Seconds until a queued job is announced to workers again.")
    keep_checkpoints: int = Field(3, ge=2, description="Checkpoints kept per job, the newest ones.")
    api_key: SecretStr | None = Field(None, description="Key that clients send as 'Authorization: Bearer <key>'.")
    database_url: str = Field(
        default_factory=_sqlite_in_home,
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="URL of the database, as postgresql://user:password@host/name; unset means SQLite in FORGER_HOME.",
    )
    redis_url: str | None = Field(
        None,
        validation_alias=AliasChoices("REDIS_URL", "redis_url"),
        description="URL of a Redis or Valkey server; unset means the embedded one.",
    )
    max_body_bytes: int = Field(1 << 20, gt=0, description="Largest JSON body of a request, in bytes.")
    max_upload_bytes: int = Field(32 << 20, gt=0, description="Largest uploaded file, in bytes.")
    max_pixels: int = Field(25_000_000, gt=0, description="Largest uploaded picture, in pixels.")
    max_dataset_bytes: int = Field(2 << 30, gt=0, description="Largest uploaded dataset, a zip, in bytes.")
    max_dataset_unpacked_bytes: int = Field(8 << 30, gt=0, description="Largest uploaded dataset unpacked, in bytes.")
    max_dataset_members: int = Field(200_000, gt=0, description="Most members of an uploaded dataset's zip.")
    max_model_bytes: int = Field(512 << 20, gt=0, description="Largest import of a model, all its files, in bytes.")
    max_intake_seconds: int = Field(900, gt=0, description="Longest time to read an uploaded dataset, in seconds.")
    max_export_seconds: int = Field(
        300, gt=0, description="Longest time to write a model as safetensors, ONNX or torch_export, in seconds."
    )
    max_prepared_bytes: int = Field(
        16 << 30, gt=0, description="Largest uploaded dataset as a job prepares it, at its side and channels, in bytes."
    )
    max_bulk_bytes: int = Field(
        64 << 30, gt=0, description="Largest job that generates or translates, its pictures uncompressed, in bytes."
    )
    max_parameters: int = Field(1_000_000_000, gt=0, description="Most weights of all networks of a training.")
    max_memory_bytes: int = Field(
        default_factory=lambda _: machine.memory_bytes(),
        gt=0,
        description="Most memory that a training may take, in bytes; unset means all of this machine, or of its "
        "control group. Set it where jobs train on another one.",
    )
    max_job_bytes: int = Field(64 << 30, gt=0, description="Most bytes that one training may need on the disk.")
    max_steps: int = Field(10_000_000, ge=1, description="Most steps of a training.")
    max_minutes: int = Field(525_600, ge=1, description="Most minutes that a training may take by its estimate.")
    max_queued_jobs: int = Field(1000, ge=1, description="Jobs that may wait in the queue; further requests get 429.")
    max_stored_bytes: int = Field(
        default_factory=_disk_here,
        gt=0,
        description="Most bytes that jobs, models and uploaded datasets may keep together, counting those that "
        "unfinished jobs may need; unset means the size of the disk that holds FORGER_HOME.",
    )
    max_samples: int = Field(1000, ge=1, description="Most pictures that one /sample request may draw.")
    queue_pictures: int = Field(
        4000, ge=1, description="Pictures that may wait for the engine; further requests get 429."
    )
    max_search_pixels: int = Field(
        40_000_000,
        gt=0,
        description="Most pixels that one search for a latent generates: steps x attempts x pixels of a picture.",
    )
    loaded_bytes: int = Field(
        2 << 30,
        gt=0,
        description="Networks that an engine keeps loaded, in bytes; beyond this the least recently used are unloaded.",
    )
    inference: Literal["local", "workers"] = Field(
        "local", description="Where pictures are drawn: local, in the API; or workers, in inference workers."
    )
    deadline_s: float = Field(
        60.0, gt=0, description="Seconds that a request waits for an inference worker before it gets 503."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line written."
    )

    @field_validator("database_url", mode="after")
    @classmethod
    def _with_driver(cls, url: str) -> str:
        """Name psycopg as the driver of a PostgreSQL URL, which may begin with postgres: or postgresql:."""
        return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)

    @field_validator("root_path", mode="after")
    @classmethod
    def _is_path(cls, path: str) -> str:
        path = path.rstrip("/")
        if path and not _ROOT_PATH.fullmatch(path):
            raise ValueError(f"'{path}' is no path: write it like /forger, in letters, digits, '-', '_', '.' and '~'")
        if (first := path[1:].partition("/")[0]) in ROOT_SEGMENTS:
            raise ValueError(f"'/{first}' is an address of the service itself: choose another name, as /forger")
        return path

    @field_validator("cors_origins", mode="after")
    @classmethod
    def _are_origins(cls, origins: str | None) -> str | None:
        wrong = [origin for origin in _comma_separated(origins) if not _ORIGIN.fullmatch(origin)]
        if wrong:
            raise ValueError(
                f"'{wrong[0]}' is no origin: write scheme, host and port alone, as https://lab.example:8443"
            )
        return origins

    @field_validator("home", "data", mode="after")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else (CHECKOUT / path.expanduser()).resolve()

    @property
    def host_names(self) -> frozenset[str]:
        """Return the host names to answer besides loopback; empty if none is set."""
        return frozenset(_comma_separated(self.hosts))

    @property
    def origins(self) -> frozenset[str]:
        """Return the origins of other web pages that may use the service."""
        return frozenset(_comma_separated(self.cors_origins))

    @property
    def plugin_names(self) -> list[str]:
        """Return the plugins: names of modules, and absolute paths of files and packages."""
        plugins = [name.strip() for name in (self.plugins or "").split(",") if name.strip()]
        return [str(CHECKOUT / Path(name).expanduser()) if _is_path(name) else name for name in plugins]

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"

    @property
    def incoming(self) -> Path:
        """Return the folder of unfinished uploads."""
        return self.home / "incoming"

    @property
    def prepared(self) -> Path:
        """Return the cache of uploaded datasets in the form that training reads."""
        return self.home / "data" / "prepared"

    @property
    def judges(self) -> Path:
        """Return the cache of feature networks that were trained on datasets."""
        return self.home / "data" / "judges"

    @property
    def exported(self) -> Path:
        """Return the folder of models as files for use without Forger."""
        return self.home / "data" / "exported"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def checkpoints(self, job_id: str) -> Path:
        return self.home / "checkpoints" / job_id

    @property
    def redis_socket(self) -> Path:
        """Return the socket of the embedded Redis: the same for every process of one user and one home."""
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        mark = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        return base / f"forger-{os.getuid()}-{mark}" / "redis.sock"

    @property
    def broker_url(self) -> str:
        """Return the broker's URL as kombu spells it."""
        url = self.redis_url or f"unix://{self.redis_socket}"
        if not url.startswith("unix://"):
            return url
        return f"redis+socket://{url.removeprefix('unix://')}?virtual_host=0"


@lru_cache
def get_settings() -> Settings:
    return Settings()


def link(path: str) -> str:
    """Return a path of this service as clients must request it: behind a proxy with its prefix."""
    return get_settings().root_path + path
