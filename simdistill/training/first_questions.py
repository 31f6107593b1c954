"""The first questions of a task, on which language models are checked before a run begins."""

from simdistill.config import RunConfig
from simdistill.envs.episodes import teaching_episode
from simdistill.envs.prompts import Prompter
from simdistill.errors import ProcessError
from simdistill.models.choice_model import Posed
from simdistill.simulation import TRAIN
from simdistill.simulation.situations import Episode

TRIES = 4
"""Number of scenarios that are tried until one reaches a decision."""


def first_questions(config: RunConfig) -> list[Posed]:
    """Returns the first question of a run, and a longer one that describes the same situation twice.

    The second prompt begins like the first, and is longer than those of other states are likely to be.

    Args:
        config: Configuration of the run.

    Returns:
        Two questions, or none if no scenario reaches a decision; the teacher then reports the reason.
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
