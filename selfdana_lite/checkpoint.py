"""Weights on disk: safetensors and JSON, nothing that can run code, written whole or not at all."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from selfdana_lite.encoders import Encoder, EncoderConfig

SHIPPED_ENCODER = Path(__file__).parent / "weights"


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or of another network; the message says which and what to do."""


def save_encoder(encoder: Encoder, folder: str | os.PathLike) -> None:
    """Write model.safetensors and config.json into a new folder; FileExistsError rather than overwrite."""
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; choose another place, or move it away first.")
    unfinished = folder.with_name(f".{folder.name}.unfinished")  # not a random name: what a kill left behind is used again
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        write_tensors(unfinished / "model.safetensors", encoder.state_dict(), {})
        (unfinished / "config.json").write_text(json.dumps(asdict(encoder.config), indent=2) + "\n")
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished)
        raise


def load_encoder(folder: str | os.PathLike = SHIPPED_ENCODER) -> Encoder:
    """The encoder saved in a folder, ready to use (in eval mode, on the CPU); without one, the encoder that the kit ships.

    Raises CheckpointError where a file is missing, truncated, not safetensors, or of another network.
    """
    folder = Path(folder)
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} lacks {name}; an encoder's folder holds config.json and model.safetensors.")
    try:
        encoder = Encoder(EncoderConfig(**json.loads((folder / "config.json").read_text())))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / 'config.json'} does not describe an encoder of this kit ({error}).") from error
    tensors, _ = read_tensors(folder / "model.safetensors")
    load_tensors(encoder, tensors, folder)
    return encoder.eval()


def load_tensors(module, tensors: Mapping[str, Tensor], source: str | os.PathLike) -> None:
    """Fill a module; CheckpointError where a name, shape or type is not the module's."""
    own = module.state_dict()
    differing = sorted(
        name
        for name in own.keys() | tensors.keys()
        if name not in own
        or name not in tensors
        or (own[name].shape, own[name].dtype) != (tensors[name].shape, tensors[name].dtype)
    )
    if differing:
        raise CheckpointError(
            f"{source} holds the weights of another network: {len(differing)} of {len(own)} tensors differ in name, shape or "
            f"type (first: {differing[0]}); load them into the encoder that they were saved from."
        )
    module.load_state_dict(dict(tensors))


def read_tensors(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors and the text metadata of one safetensors file; CheckpointError where it is damaged or a pickle."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118, a file is no dict
    except (SafetensorError, OSError) as error:
        if not Path(path).is_file():
            raise CheckpointError(
                f"{path} is not a file; expected safetensors as written by save_encoder or pretrain."
            ) from error
        with open(path, "rb") as file:
            start = file.read(9)
        # torch.save begins with PK, pickle with 80; so may safetensors, whose ninth byte is always {
        pickled = start[:2] == b"PK" or (start[:1] == b"\x80" and start[8:] != b"{")
        what = "is a pickle, which could run code and is never loaded" if pickled else "is damaged or truncated"
        raise CheckpointError(
            f"{path} {what} ({error}); expected safetensors as written by save_encoder or pretrain."
        ) from error


def write_tensors(path: str | os.PathLike, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Replace one safetensors file: under another name first, so that a full disk or a kill leaves the old one whole.

    Raises OSError, which says so, where the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        # Not safetensors' save_file: killed, it leaves a file of random name behind; this one is used again.
        unfinished.write_bytes(save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata=dict(metadata)))
        os.replace(unfinished, path)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError):
            told = f"{error.strerror}: {path} was not written, and what was there before is whole"
            raise OSError(error.errno, told) from error
        raise
