"""OpenRLHF's samples generator, for episodes of several rows.

To the parent one `Experience` is one episode, the lead's, so that its buffers, its dynamic
filtering, its evaluation and its progress count episodes. Only what it hands to training is laid
out row by row: `Experience.row` says what a row is.
"""

from __future__ import annotations

from typing import Any

from openrlhf.trainer.ppo_utils.experience import Experience
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator
from openrlhf.utils.logging_utils import init_logger

logger = init_logger(__name__)


class TeamSamplesGenerator(SamplesGenerator):  # type: ignore[misc]  # OpenRLHF is untyped
    """Hands out the rows of whole episodes."""

    def generate_samples(self, **settings: Any) -> tuple[list[Experience], float | None, int, bool]:
        """Returns the rows of a rollout batch, and what the parent says of it."""
        leads, pass_rate, num_prompts, exhausted = super().generate_samples(**settings)
        rows = [row for lead in leads for row in (*lead.team, lead)]
        return rows, pass_rate, num_prompts, exhausted

    def generate_eval_samples(self, **settings: Any) -> list[Experience]:
        """Returns the leads alone; a prompt with an episode without a score is left out, whole."""
        leads = super().generate_eval_samples(**settings)
        size = settings["n_samples_per_prompt"]
        groups = [leads[start : start + size] for start in range(0, len(leads), size)]
        scored = [g for g in groups if all(lead.row.reward is not None for lead in g)]
        if len(scored) < len(groups):
            logger.warning(
                f"evaluation leaves out {len(groups) - len(scored)} of {len(groups)} prompts, as "
                "an episode of theirs could not be scored"
            )
        return [lead for group in scored for lead in group]

    def _process_response_into_experience(
        self, response: dict[str, Any], **settings: Any
    ) -> Experience:
        lead = self._row(response, **settings)
        lead.team = [self._row(other, **settings) for other in response["team"]]
        lead.figures = response["figures"]
        return lead

    def _row(self, response: dict[str, Any], **settings: Any) -> Experience:
        experience = super()._process_response_into_experience(response, **settings)
        experience.row = response["row"]
        del experience.info["score"]  # of the episode: no number of a row
        return experience
