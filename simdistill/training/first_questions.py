"""The first questions of a task, by which models are tried before anything else is done."""

from simdistill.config import RunConfig
from simdistill.envs.episodes import teaching_episode
from simdistill.envs.prompts import Prompter
from simdistill.errors import ProcessError
from simdistill.models.choice_model import Posed
from simdistill.simulation import TRAIN
from simdistill.simulation.situations import Episode

TRIES = 4
"""Scenarios whose process may fail before its first decision."""


def first_questions(config: RunConfig) -> list[Posed]:
    """Returns two questions of a run: its first one, and one that tells the same situation twice.

    The second has a longer prompt than other states are likely to have, and begins as the first does.

    Args:
        config: The run.

    Returns:
        Two questions, or none if no process comes to a decision; teaching tells why.
    """
    language = Prompter(config.task.language)
    for scenario in range(TRIES):
        try:
            model = teaching_episode(config.task, (config.seed, TRAIN), 0, scenario, 0)
            situation = Episode(model).advance(config.task.until)
            if situation is None:
                continue
            system, user = language.decision(situation.state)
        except ProcessError:
            continue
        twice = user | {"content": f"{user['content']}\n{user['content']}"}
        return [Posed([system, asked], list(situation.choices)) for asked in (user, twice)]
    return []
