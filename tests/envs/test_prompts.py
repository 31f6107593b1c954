"""States in words, from templates that may come from strangers."""

import pytest

from simdistill.config import LanguageConfig, compose
from simdistill.envs.prompts import Prompter
from simdistill.errors import InputError

STATE = {"arrival_rate": 2.0, "service_rates": [2.0, 0.5], "jobs": [3, 1]}


def language(situation="Jobs {{ jobs }}", description="You send jobs to servers.") -> Prompter:
    return Prompter(LanguageConfig(description=description, situation=situation))


def test_the_queueing_task_tells_all_that_is_observed():
    words = Prompter(compose(["task=queueing"])[0].task.language)
    system, user = words.decision(STATE)
    assert system["role"] == "system"
    assert system["content"].startswith("You send jobs to servers")
    assert system["content"].endswith("Answer with the server's letter.")
    assert user == {"role": "user", "content": "Arrivals 2.0 a minute; rates A 2.0, B 0.5.\nJobs A 3, B 1"}


def test_other_states_have_other_words():
    words = Prompter(compose(["task=queueing"])[0].task.language)
    others = [
        {**STATE, "jobs": [3, 2]},
        {**STATE, "arrival_rate": 2.1},
        {**STATE, "service_rates": [2.0, 0.6]},
    ]
    assert len({words.situation(state) for state in [STATE, *others]}) == 4


def test_a_template_that_asks_for_a_missing_field():
    with pytest.raises(InputError) as caught:
        language("{{ jobs }} jobs, {{ waiting }} waiting").situation(STATE)
    message = str(caught.value)
    assert message.startswith("task.language.situation: 'waiting' is undefined")
    assert "the state has arrival_rate, service_rates, jobs" in message


def test_a_description_knows_no_state():
    with pytest.raises(InputError, match=r"task.language.description: 'jobs' is undefined"):
        _ = language(description="{{ jobs }} jobs").description


@pytest.mark.parametrize("field", ["situation", "description"])
def test_a_template_with_a_mistake(field):
    with pytest.raises(InputError, match=f"task.language.{field} is no valid template"):
        language(**{field: "Jobs {{ jobs"})


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ jobs.__class__.__subclasses__() }}",
        "{{ ''.format.__self__.__class__ }}",
        "{{ '{0.__class__}'.format(jobs) }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ jobs.append(5) }}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_templates_stay_in_the_sandbox(attack):
    state = {"jobs": [3, 1]}
    with pytest.raises(InputError, match=r"task\.language\.situation"):
        language(attack).situation(state)
    assert state == {"jobs": [3, 1]}


@pytest.mark.parametrize("situation", ["{{ 1 / 0 }}", "{{ jobs + 1 }}", "{{ range(10000000) | list }}"])
def test_an_expression_that_fails(situation):
    with pytest.raises(InputError, match=r"task\.language\.situation"):
        language(situation).situation(STATE)
