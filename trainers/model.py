"""The model that learns: forward passes over rows, its frozen start, its optimiser.

Knows nothing of episodes, rewards or losses. Hidden states are turned into logits only where a
token was sampled, a piece at a time, so that a large vocabulary does not fill the memory.

Shape letters: P packs of N tokens (a row each, where rows share nothing), M sampled tokens of a
micro-batch, D features.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.llm.precision import bfloat16_pays, halve
from trainers.batch import MicroBatch, TokenRow, micro_batches
from trainers.config import RunConfig
from wideseek_env.errors import DataError
from wideseek_env.plugins import late, require

if TYPE_CHECKING:
    from torch import Tensor, nn

torch = late("torch", "train")
safetensors = late("safetensors.torch", "train")

HEAD_TOKENS = 4096
"""Tokens whose logits are in memory at a time: 2.5 GB in float32 at 152,000 words."""


class Learner:
    """A causal language model and all that one update of it needs.

    Args:
        lm: a transformers model for causal language modelling, in float32; changed in place.
        config: settings.
        tokenizer: saved beside the weights, so that a checkpoint can play.
        head: maps features to a value, for PPO; trained with the model.
        reference: whether a frozen copy of the start model is kept, for the KL.
    """

    def __init__(
        self,
        lm: Any,
        config: RunConfig,
        *,
        tokenizer: Any = None,
        head: nn.Module | None = None,
        reference: bool = True,
    ) -> None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(name if config.device == "auto" else config.device)
        self.config = config
        self.tokenizer = tokenizer
        self.lm = lm.to(self.device).float()
        self.head = head.to(self.device) if head is not None else None
        self.bf16 = config.bf16 == "on" or (
            config.bf16 == "auto" and bfloat16_pays(self.lm, self.device)
        )
        """Whether matrices are multiplied in bfloat16."""
        self._frozen: Any = None
        self._lora: Any = None
        if config.lora_rank:
            self._lora = _with_lora(self.lm, config.lora_rank, config.seed)
        elif reference:
            self._frozen = copy.deepcopy(self.lm).eval().requires_grad_(False)
            if self.bf16:
                halve(self._frozen)
        if config.activation_checkpointing:
            self.lm.gradient_checkpointing_enable(
                gradient_checkpointing_kwargs={"use_reentrant": False}
            )
        modules = [self.lm, *([self.head] if self.head is not None else [])]
        self.parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.optimizers = _optimizers(self.lm, self.parameters, config)
        self._level_tokens = level_tokens(self.lm)

    def micro_batches(self, rows: Sequence[TokenRow], chosen: Sequence[int]) -> list[MicroBatch]:
        """Returns the chosen rows in micro-batches of at most `budget_tokens`.

        Rows share the tokens with which they begin where this model can and where it pays.
        """
        budget = self.config.budget_tokens
        return micro_batches(rows, chosen, budget, self.device, self._level_tokens)

    def states(self, batch: MicroBatch) -> Tensor:
        """Returns the hidden state after each token, padding too, (P * N, D)."""
        return self._states(self.lm, batch)

    def score(self, states: Tensor, batch: MicroBatch) -> tuple[Tensor, Tensor]:
        """Returns the log-probability of each sampled token and the entropy it had, (M,).

        The entropy carries no gradient.

        Args:
            states: (P * N, D), what `states` gave.
            batch: the same micro-batch.
        """
        return self._score(self.lm, states, batch)

    def values(self, features: Tensor) -> Tensor:
        """Returns the value of each hidden state, (M, D) to (M,)."""
        if self.head is None:
            raise ValueError("expected a value head, got none; give `head` to Learner")
        values: Tensor = self.head(features.float())[:, 0]
        return values

    def logprobs(self, batches: list[MicroBatch], out: Tensor) -> Tensor:
        """Fills `out` (T,) with the log-probabilities of the tokens of `batches`; returns it."""
        with torch.no_grad():
            for batch in batches:
                out[batch.tokens] = self.score(self.states(batch), batch)[0]
        return out

    def reference_logprobs(self, batches: list[MicroBatch], out: Tensor) -> Tensor:
        """Like `logprobs`, under the frozen start model."""
        lm = self.lm if self._lora is not None else self._frozen
        without = self._lora.disable_adapter() if self._lora is not None else nullcontext()
        with torch.no_grad(), without:
            for batch in batches:
                out[batch.tokens] = self._score(lm, self._states(lm, batch), batch)[0]
        return out

    def update(self, update: int) -> tuple[float, float]:
        """Takes one optimiser step with the gradients at hand and clears them.

        Args:
            update: 0 for the first of the run.

        Returns:
            Norm of the gradient before it was scaled, and the learning rate.

        Raises:
            FloatingPointError: the gradient is not finite.
        """
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm))
        if not norm < float("inf"):
            raise FloatingPointError(
                f"expected a finite gradient at update {update}, got norm {norm}; lower `lr` or "
                "raise `warmup_steps`, and go on from the last checkpoint"
            )
        lr = self.config.lr * schedule(update, self.config)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return norm, lr

    def save(self, folder: Path) -> None:
        """Writes the weights as `from_pretrained` reads them (with LoRA: the adapter)."""
        if self._lora is None:
            self.lm.save_pretrained(folder, max_shard_size="1000GB")
        else:  # the embeddings are not adapted
            self._lora.save_pretrained(folder, save_embedding_layers=False)
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)

    def load(self, folder: Path) -> None:
        """Reads weights that `save` wrote.

        Raises:
            DataError: they are not those of a model of this shape.
        """
        try:
            if self._lora is None:
                safetensors.load_model(self.lm, folder / "model.safetensors", strict=False)
            else:
                adapter = safetensors.load_file(folder / "adapter_model.safetensors")
                require("peft", "train").set_peft_model_state_dict(self._lora, adapter)
        except (RuntimeError, OSError) as error:
            raise DataError(
                f"expected weights of the configured model in {folder}, got: {error}; remove the "
                "checkpoint or set `model` and `lora_rank` as they were"
            ) from error

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.bf16:
            cast: AbstractContextManager[Any] = torch.autocast(self.device.type, torch.bfloat16)
            return cast
        return nullcontext()

    def _states(self, lm: Any, batch: MicroBatch) -> Tensor:
        told: dict[str, Tensor] = {}
        if batch.shared is not None:
            told = {"attention_mask": batch.shared.mask, "position_ids": batch.shared.positions}
        with self._autocast():
            read = lm.get_decoder()(input_ids=batch.ids, use_cache=False, **told)
        states = read.last_hidden_state
        flattened: Tensor = states.flatten(0, 1)
        return flattened

    def _score(self, lm: Any, states: Tensor, batch: MicroBatch) -> tuple[Tensor, Tensor]:
        if batch.shared is None:
            return self._head(lm, states[batch.before], batch.targets)
        first, kind = batch.shared.first, batch.shared.kind
        of_kind = self._head(lm, states[batch.before[first]], batch.targets[first])
        return of_kind[0][kind], of_kind[1][kind]

    def _head(self, lm: Any, features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        def piece(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            with self._autocast():
                logits = lm.get_output_embeddings()(features)
            logprobs = torch.log_softmax(logits.float(), dim=-1)
            with torch.no_grad():
                entropy = -(logprobs.exp() * logprobs).sum(dim=-1)
            return logprobs.gather(-1, targets[:, None])[:, 0], entropy

        if len(targets) <= HEAD_TOKENS:
            return piece(features, targets)
        split = zip(
            torch.split(features, HEAD_TOKENS), torch.split(targets, HEAD_TOKENS), strict=True
        )
        pieces = [
            torch.utils.checkpoint.checkpoint(piece, *part, use_reentrant=False) for part in split
        ]
        return torch.cat([p[0] for p in pieces]), torch.cat([p[1] for p in pieces])


def level_tokens(lm: Any) -> float | None:
    """Returns the length at which attention over all pairs costs as much as all else in a model.

    None: the model cannot be told which tokens look at which, so that rows could share some. Only
    PyTorch's attention takes such a mask as it is, and layers that look back over a window, or keep
    a state, would not heed it.
    """
    config = lm.config
    kinds = getattr(config, "layer_types", None)
    if kinds is None:  # then a window counts for all layers
        kinds = ["sliding" if getattr(config, "sliding_window", None) else "full_attention"]
    heads = getattr(config, "num_attention_heads", None)
    ours = config._attn_implementation in ("sdpa", "sdpa_grouped")
    if not heads or not ours or {*kinds} != {"full_attention"}:
        return None
    tables = {id(table.weight) for table in (lm.get_input_embeddings(), lm.get_output_embeddings())}
    inner = sum(p.numel() for p in lm.parameters() if id(p) not in tables)
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    # Forward: 2 operations for each weight and token, 4 for each pair of tokens and query feature.
    return inner / (2 * config.num_hidden_layers * heads * width)


def schedule(update: int, config: RunConfig) -> float:
    """Returns the share of the peak learning rate, in [0, 1]: up to 1, then down to `lr_end`."""
    if update < config.warmup_steps:
        return (update + 1) / config.warmup_steps
    rest = max(config.num_iterations * config.num_updates - config.warmup_steps, 1)
    return 1 - (1 - config.lr_end) * min((update - config.warmup_steps) / rest, 1.0)


def _with_lora(lm: Any, rank: int, seed: int) -> Any:
    """Puts adapters into all linear layers of `lm`; returns peft's face of the same model.

    Half of their matrices begin at random; torch's own generator is left as it was.
    """
    peft = require("peft", "train")
    settings = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return peft.get_peft_model(lm, settings)


def _optimizers(
    lm: Any, parameters: list[nn.Parameter], config: RunConfig
) -> list[torch.optim.Optimizer]:
    """Returns AdamW, or Muon for the matrices of the layers and AdamW for the rest."""
    tables = {id(table.weight) for table in (lm.get_input_embeddings(), lm.get_output_embeddings())}
    matrices = [p for p in parameters if p.ndim == 2 and id(p) not in tables]
    others = [p for p in parameters if p.ndim != 2 or id(p) in tables]
    decay = config.weight_decay
    if config.optimizer == "muon":
        muon = torch.optim.Muon(
            matrices, lr=config.lr, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
        )
        return [muon, torch.optim.AdamW(others, lr=config.lr, weight_decay=0.0)]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return [torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.95))]
