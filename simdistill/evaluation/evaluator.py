"""The examination of one run, and what it writes: `metrics.json`, `examination.json`, `rollouts.jsonl`."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from safetensors import safe_open

from simdistill import registry
from simdistill.config import RunConfig
from simdistill.data.kinds.forecast import ForecastQuestion, future_buckets
from simdistill.data.question import Question
from simdistill.envs.episodes import explore
from simdistill.envs.prompts import Prompter
from simdistill.envs.scenarios import begin, draw, examination_path
from simdistill.evaluation import cases as evaluation
from simdistill.evaluation import exhibits, summaries
from simdistill.evaluation import forecast_scores as forecasting
from simdistill.evaluation import learning_curve as learning
from simdistill.evaluation.cases import SETTINGS, Case
from simdistill.evaluation.forecast_scores import Examined
from simdistill.evaluation.student_policy import StudentPolicy
from simdistill.executors import Map
from simdistill.files import read_json, read_lines, write_json, write_lines
from simdistill.models.choice_model import Answer, Posed
from simdistill.models.perplexity import perplexity
from simdistill.models.student import Student
from simdistill.simulation import (
    EPISODE,
    PLAN,
    SAMPLE,
    TEST,
    Forecast,
    Policy,
    Streams,
    generator,
)
from simdistill.simulation.branching import what_if
from simdistill.simulation.situations import Situation
from simdistill.teachers.language_models.base import LanguageTeacher
from simdistill.teachers.protocol import Lesson

TITLES = {"untuned": "untuned student", evaluation.OPTIMUM: "exact optimum"}
SHOWN_FUTURES = 100
UNTUNED_REPLICATIONS = 2
UNTUNED_MASS = 0.9
"""Share of the probability in which the untuned student is asked; where queues grow there is no end to it."""
EXAMPLE, FORECAST = 9, 10
"""Tell examined situations from each other and from the parameter sets, in the paths of their samples."""


class Examination:
    """Examines every policy of a task.

    Args:
        config: The run.
        language: The task's words.
        compute: Runs simulations.
        progress: Called with a phase, how much is done and how much there is.
    """

    def __init__(
        self, config: RunConfig, language: Prompter, compute: Map, progress: Callable[[str, int, int], None]
    ):
        self.config, self.task, self.settings = config, config.task, config.evaluation
        self.language, self.compute, self.progress = language, compute, progress
        self.simulator = registry.load("simulators", self.task.simulator)
        self.heuristic: Policy = registry.policies(self.task.simulator)[self.task.heuristic]
        self.cases: list[Case] = []

    def run(
        self,
        lesson: Lesson,
        student: Student,
        untuned: Callable[[], Student],
        lessons: Sequence[Question],
        language_model: LanguageTeacher | None = None,
    ) -> None:
        """Solves, asks and simulates.

        Args:
            lesson: The teacher's lesson.
            student: The distilled student.
            untuned: Loads the same student without its adapter; it is asked with the default parameters only.
            lessons: The training questions.
            language_model: Decides in the teacher's place.
        """
        self.language_model = language_model
        self.taught = language_model.policy(self.language) if language_model else lesson.policy
        self.cases = evaluation.prepare(
            self.task, self.settings, self.compute, partial(self.progress, "prepare policies")
        )
        self.asking = StudentPolicy(student, self.language)
        beginner = untuned()
        self._ask_untuned(StudentPolicy(beginner, self.language))
        self.perplexity = {"untuned": perplexity(beginner), "student": perplexity(student)}
        if language_model is not None:
            self._ask_language_model(language_model)
        else:
            for case in self.cases:
                evaluation.add(case, "teacher", lesson.policy, self.heuristic)
        if self.cases[0].chain is None:
            asked = partial(self.progress, "let the student play")
            evaluation.accompany(self.task, self.settings, self.cases, "student", self.asking, asked)
        else:
            self._ask_in_states("student", self.asking, self.cases, self.settings.tabulated_mass)
        evaluation.confirm(
            self.task, self.settings, self.cases, self.compute, partial(self.progress, "simulate policies")
        )
        self.forecasts = self._forecasts(lesson.policy, lessons)
        self.shown = self._shown_questions(lesson.policy)

    @property
    def reference(self) -> str:
        """Name of the policy that all others are compared with."""
        solved = self.cases[0].chain is not None
        best = self.task.heuristic if self.language_model else "teacher"
        return self.task.reference or (evaluation.OPTIMUM if solved else best)

    def _ask_untuned(self, asking: StudentPolicy) -> None:
        case = self.cases[0]
        if case.chain is None:
            quiet = partial(self.progress, "let the untuned student play")
            evaluation.accompany(
                self.task, self.settings, [case], "untuned", asking, quiet, UNTUNED_REPLICATIONS
            )
        else:
            evaluation.ask(case, "untuned", asking, self.heuristic, UNTUNED_MASS)
        self.untuned_valid = asking.valid

    def _ask_in_states(
        self,
        name: str,
        asked: Policy,
        cases: Sequence[Case],
        mass: float,
        most: int | None = None,
    ) -> None:
        for number, case in enumerate(cases):
            extra_S = exhibits.map_states(case) if case.setting == "default" else None
            evaluation.ask(case, name, asked, self.heuristic, mass, extra_S, most)
            self.progress(f"ask the {name}", number + 1, len(cases))

    def _ask_language_model(self, model: LanguageTeacher) -> None:
        """Examines a language model that teaches; an endpoint as little as the untuned student."""
        asked = model.policy(self.language)
        cases = self.cases if model.everywhere else self.cases[:1]
        if self.cases[0].chain is None:
            shown = partial(self.progress, "let the teacher play")
            most = None if model.everywhere else UNTUNED_REPLICATIONS
            evaluation.accompany(self.task, self.settings, cases, "teacher", asked, shown, most)
        else:
            mass = self.settings.tabulated_mass if model.everywhere else UNTUNED_MASS
            most = None if model.everywhere else evaluation.MOST_ASKED
            self._ask_in_states("teacher", asked, cases, mass, most)

    def _shown_questions(self, policy: Policy) -> list[dict]:
        """Poses a few new situations, with costs from many futures of their own."""
        rows = []
        for number in range(self.settings.questions_shown):
            situation = self._situation(policy, EXAMPLE, number)
            values = what_if(
                self.simulator, situation, policy, SHOWN_FUTURES, self.config.teacher.horizon, salt=1
            )
            answer = self.asking.student.score(
                [Posed(self.language.decision(situation.state), list(situation.choices))]
            )
            rows.append(
                _shown(self.language.situation(situation.state), situation, values, answer[0], self.taught)
            )
            self.progress("show examples", number + 1, self.settings.questions_shown)
        return rows

    def _forecasts(self, policy: Policy, lessons: Sequence[Question]) -> list[Examined]:
        """Asks for outcomes in new situations, if training asked for any."""
        situations = [self._situation(policy, FORECAST, number) for number in range(self.settings.forecasts)]
        examined = []
        for number, forecast in enumerate(self.simulator.forecasts):
            asked = [q for q in lessons if isinstance(q, ForecastQuestion) and q.choices == forecast.labels]
            told = [question.probabilities for question in asked]
            here = situations[number :: len(self.simulator.forecasts)]
            if told and here:
                examined.append(self._forecast(policy, forecast, here, np.mean(told, axis=0)))
        return examined

    def _forecast(
        self, policy: Policy, forecast: Forecast, situations: Sequence[Situation], marginal_B: np.ndarray
    ) -> Examined:
        labels = forecast.labels
        prompts = [self.language.forecast(s.state, forecast.question, labels) for s in situations]
        answers = self.asking.student.score([Posed(prompt, labels) for prompt in prompts])
        simulate = partial(future_buckets, self.task.simulator, policy, self.settings.forecast_futures)
        buckets = []
        for buckets_K in self.compute(simulate, [(situation, forecast) for situation in situations]):
            buckets.append(buckets_K)
            self.progress("score forecasts", len(buckets), len(situations))
        student_NB = np.stack([answer.probabilities_C for answer in answers])
        return Examined(forecast, student_NB, np.stack(buckets), marginal_B)

    def _situation(self, policy: Policy, kind: int, number: int) -> Situation:
        """Returns the last situation of a short episode in distribution."""
        root = (self.settings.seed, TEST)
        parameters = self.task.parameters
        sample = (*root, SAMPLE, kind, number)
        params = draw(self.simulator, parameters.default, parameters.train, sample)
        params = begin(self.simulator, params, parameters.starts, (*sample, 0))
        model = self.simulator(params, (*root, EPISODE, kind, number))
        met = explore(model, policy, 0.0, Streams((*root, PLAN, kind, number)), 5)
        return met[-1]

    def write(self, folder: Path, lesson: Lesson, spent: dict) -> None:
        """Writes the run's results."""
        write_lines(folder / "rollouts.jsonl", self._rollouts())
        write_json(folder / "examination.json", self._examination())
        write_json(folder / "metrics.json", self._metrics(folder, lesson) | spent)

    def _rollouts(self) -> list[dict]:
        return [
            {
                "setting": case.setting,
                "parameters": exhibits.told(case.params),
                "policy": name,
                "seed_path": list(examination_path(self.settings.seed, number)),
                "cost": replication.cost,
                "halves": list(replication.halves),
                "decisions": replication.decisions,
                "measures": dict(replication.measures),
                "illegal_answers": replication.illegal_answers,
            }
            for case in self.cases
            for name, cost in case.costs.items()
            for number, replication in enumerate(cost.replications)
            if replication is not None
        ]

    def _metrics(self, folder: Path, lesson: Lesson) -> dict:
        distilled = read_json(folder / "distilled.json")
        student = self.asking.student
        training = folder / "training"
        own_states = [read_json(path) for path in sorted(training.glob("own-states-*.json"))]
        own = [
            f["message"]
            for path in sorted((folder / "training").glob("failures-*.json"))
            for f in read_json(path)
        ]
        order = ["random", "untuned", *self.task.policies, "teacher", "student", evaluation.OPTIMUM]
        names = [name for name in dict.fromkeys(order) if name in self.cases[0].costs]
        replications = [r for case in self.cases for c in case.costs.values() for r in c.replications if r]
        failures = [*(failure.message for failure in lesson.failures), *own]
        failures += [message for case in self.cases for message in case.failures]
        return {
            "task": self.task.name,
            "method": self.config.method.name,
            "seed": self.config.seed,
            "reference": self.reference,
            "heuristic": self.task.heuristic,
            "policies": {name: self._policy(name) for name in names},
            "over_reference": self._over("student"),
            "teacher_over_reference": self._over("teacher"),
            "heuristic_gap_closed": {
                setting: interval.as_dict() if interval else None
                for setting in SETTINGS
                for interval in [
                    summaries.gap_closed(
                        self.cases,
                        setting,
                        "student",
                        self.task.heuristic,
                        self.reference,
                        self.settings.seed,
                    )
                ]
            },
            "over_teacher": self._over("student", "teacher"),
            "regret_per_decision": self._regret(),
            "valid_answers": self.asking.valid,
            "said_instead_of_choices": self.asking.instead(),
            "answer_mass": self.asking.mass,
            "untuned_valid_answers": self.untuned_valid,
            "teacher_valid_answers": self.language_model and self.language_model.valid_share,
            "perplexity": self.perplexity,
            "forecasts": self._forecast_metrics(),
            "decisions_per_second": student.work.decisions_per_second,
            "questions": distilled["questions"],
            "questions_asked": len(self.asking.answers),
            "tokens": {"trained": distilled["tokens"], "examined": student.work.tokens},
            "simulator_steps": {
                "teach": sum(generation.decisions for generation in lesson.generations),
                "own_states": sum(found["simulator_steps"] for found in own_states),
                "examine": sum(r.decisions for r in replications),
            },
            "states_searched": sum(g.states for g in lesson.generations)
            + sum(found["states"] for found in own_states),
            "learning": learning.told(self.config, folder),
            "updates": [read_json(path)["steps"] for path in sorted(training.glob("round-*.json"))],
            "updates_by_reward": _by_reward(folder / "metrics.jsonl"),
            "parameters": _parameters(student, folder / "adapter"),
            "generations": [
                {
                    "generation": g.number,
                    "accepted": g.accepted,
                    "improvement": {
                        "mean": -g.improvement.mean,
                        "ci95": [-g.improvement.high, -g.improvement.low],
                    },
                    "states": g.states,
                    "simulator_steps": g.decisions,
                    "futures_that_met": g.coupled,
                }
                for g in lesson.generations
            ],
            "failed_rollouts": failures,
        }

    def _forecast_metrics(self) -> dict | None:
        if not self.forecasts:
            return None
        random = generator((self.settings.seed, TEST, PLAN, FORECAST))
        return {
            "skill": forecasting.skill(self.forecasts, random).as_dict(),
            "log_score": forecasting.log_scores(self.forecasts),
            "states": sum(len(one.student_NB) for one in self.forecasts),
            "futures": self.settings.forecast_futures,
        }

    def _policy(self, name: str) -> dict:
        return {
            "title": TITLES.get(name, name.replace("_", " ")),
            "cost": {
                setting: summaries.summary(self.cases, setting, name, self.task.horizon, self.settings.seed)
                for setting in SETTINGS
            },
            "over_reference": self._over(name),
        }

    def _over(self, name: str, other: str | None = None) -> dict:
        """Returns a policy's relative cost over another's, the reference's if none is named."""
        reference = other or self.reference
        found = {
            setting: summaries.over(self.cases, setting, name, reference, self.settings.seed)
            for setting in SETTINGS
        }
        return {setting: interval.as_dict() if interval else None for setting, interval in found.items()}

    def _regret(self) -> dict:
        found = {
            setting: summaries.regret(
                self.cases, setting, "student", self.reference, self.task, self.settings.seed
            )
            for setting in SETTINGS
        }
        return {setting: interval.as_dict() if interval else None for setting, interval in found.items()}

    def _examination(self) -> dict:
        case, rule = self.cases[0], self.task.heuristic
        shown = ["student", "teacher", *(name for name in self.task.policies if name != "random")]
        playing = {"student": self.asking, "teacher": self.taught, **case.tables}
        document = {
            "sets": exhibits.sets(self.cases, dict.fromkeys([*shown, self.reference])),
            "questions": self.shown,
            "forecasts": [one.forecast.question for one in self.forecasts],
            "reliability": forecasting.reliability(self.forecasts) if self.forecasts else [],
            "episode": exhibits.episode(
                self.task,
                case,
                {name: playing[name] for name in dict.fromkeys(("student", rule, self.reference))},
                self.settings.seed,
            ),
            "decision_map": exhibits.decision_map(
                case, dict.fromkeys((self.reference, "teacher", "student", rule)), "student"
            ),
        }
        return {name: part for name, part in document.items() if part}


def _by_reward(path: Path) -> dict | None:
    """Returns how many updates rewarded samples, and in how many of them rewards differed within a group."""
    alike = [row["frac_reward_zero_std"] for row in read_lines(path) if "frac_reward_zero_std" in row]
    return {"all": len(alike), "with_gradient": sum(share < 1.0 for share in alike)} if alike else None


def _parameters(student: Student, adapter: Path) -> dict:
    """Returns how many parameters were trained, and how many there are with them."""
    with safe_open(adapter / "adapter_model.safetensors", "np") as weights:
        trained = sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    return {"trained": trained, "all": student.model.num_parameters() + trained}


def _shown(situation_text: str, situation: Situation, values, answer: Answer, policy: Policy) -> dict:
    costs_C = values.mean_C - values.mean_C.min()
    return {
        "situation": situation_text,
        "choices": list(situation.choices),
        "teacher": policy(situation.state, situation.choices),
        "student": situation.choices[answer.choice],
        "probabilities": answer.probabilities_C.tolist(),
        "costs": costs_C.tolist(),
        "standard_errors": values.standard_error_C.tolist(),
        "valid": answer.greedy is not None,
        "greedy": None if answer.greedy is None else situation.choices[answer.greedy],
    }
