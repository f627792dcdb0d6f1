"""A test double that gives recorded turns again, and refuses a prompt that is not the recorded one.

It shows that a conversation is built as it was: a policy that makes a prompt other by one id, by
another template or another prompt text, is told where.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agents.llm.engines import Completion, Request
from agents.llm.tokenizers import Tokenizer
from wideseek_env.errors import PolicyError
from wideseek_env.records import Decision, Episode


class ReplayEngine:
    """Gives the turns of recorded episodes, found by their whole prompt.

    Args:
        episodes: played by an `LLMPolicy` over an engine that tells its tokens.
        tokenizer: the one that they were played with.

    Raises:
        ValueError: an episode has a turn without tokens.
    """

    name = "replay"
    max_context_tokens: int | None = None

    def __init__(self, episodes: Iterable[Episode], tokenizer: Tokenizer) -> None:
        self.tokenizer: Tokenizer = tokenizer
        self._turns: dict[tuple[int, ...], list[Decision]] = {}
        for episode in episodes:
            for trajectory in episode.trajectories:
                prompt: tuple[int, ...] = ()
                begins = {segment.start for segment in trajectory.segments}
                for number, turn in enumerate(trajectory.turns):
                    if turn.decision.context_full:
                        break
                    if number in begins:
                        prompt = ()
                    tokens = turn.decision.tokens
                    if tokens is None:
                        raise ValueError(
                            f"{trajectory.agent} has a turn without tokens on task "
                            f"{episode.task.id!r}; join the tokens file, or use ReplayPolicy"
                        )
                    prompt += tokens.prompt_ids
                    self._turns.setdefault(prompt, []).append(turn.decision)
                    prompt += tokens.ids

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Returns the recorded turns; of several after one prompt, in the order of the record.

        Raises:
            PolicyError: a prompt was never recorded, or as often as it has been answered.
        """
        return [self._complete(request) for request in requests]

    async def close(self) -> None:
        """Does nothing: there is nothing to free."""

    def _complete(self, request: Request) -> Completion:
        turns = self._turns.get(request.prompt_ids)
        if not turns:
            raise PolicyError(f"{request.conversation}: {self._difference(request.prompt_ids)}")
        decision = turns.pop(0)
        if decision.tokens is None:
            raise PolicyError(f"{request.conversation}: the recorded turn has no tokens")
        ids = decision.tokens.ids
        stopped = ids[-1:] != () and ids[-1] in self.tokenizer.stop_ids
        return Completion(
            text=decision.text,
            ids=ids,
            logprobs=decision.tokens.logprobs,
            finish="stop" if stopped else "length",
            prompt_ids=request.prompt_ids,
            num_prompt_tokens=len(request.prompt_ids),
            num_new_tokens=len(ids),
        )

    def _difference(self, prompt: tuple[int, ...]) -> str:
        if prompt in self._turns:
            return "this prompt was recorded less often than it is asked for"
        same = max((_common(prompt, recorded) for recorded in self._turns), default=0)
        text = self.tokenizer.decode(prompt[max(0, same - 8) : same + 8])
        return f"no recorded prompt goes on like this one after {same} ids, near {text!r}"


def _common(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    """Returns how many ids two prompts have in common at their beginning."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))
