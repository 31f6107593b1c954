"""Scripts: a model's code that can be suspended in the middle, at a question or at `env.run()`.

The code runs in a greenlet, which has a stack of its own. `advance` and `answer` go on in it, and it comes
back with a question, or when there is nothing left to do.
"""

import math
import sys
import weakref
from functools import lru_cache, wraps
from typing import Any

import simpy
from greenlet import GreenletExit, getcurrent, greenlet
from simpy.events import URGENT

from simdistill.errors import AskedOutside, InputError, ProcessError
from simdistill.simulation.decisions import WAIT, Decision
from simdistill.simulation.environment import StoppingEnvironment
from simdistill.simulation.later_run import LaterRun
from simdistill.simulation.rng.running import running


class Script:
    """The code of one episode in a greenlet of its own.

    Python's garbage collector doesn't see what a suspended stack holds. The code therefore never holds the
    model that was handed out: it holds a twin that shares its attributes. Once nobody holds the model, the
    greenlet is given up, and the code's `finally` blocks run.

    Args:
        model: The process, not built yet; its `advance` and `answer` go through the script from now on.
        runs_itself: Whether its code may make the environment and run it.
    """

    def __init__(self, model: Any, runs_itself: bool):
        twin = object.__new__(type(model))
        twin.__dict__ = model.__dict__
        self.model, self.runs_itself = twin, runs_itself
        self.runs = 0
        self._asked: Decision | None = None  # by choose(), and not put yet
        self._waiting: Decision | None = None  # that choose() waits for
        self._until = self._limit = math.inf  # asked for last, and that of the loop which runs
        self._label: str | None = None
        self._reached: simpy.Event | None = None  # what env.run() waits for, once it has come
        self._answering = self._inside = False
        self._code: Any = _Code(self._live)
        self._code.script = self
        weakref.finalize(model, self._give_up).atexit = False
        twin.script = self
        model.__class__ = _handed_out(type(model))
        if runs_itself:
            _let_environments_be_adopted()
            model.env.own_code = self
        self._go_on()

    # What runs the process calls these, from outside.

    def advance(self, until: float = math.inf) -> Decision | None:
        """Does what `Asking.advance` does."""
        model, decision = self.model, None
        if model._put is not None:
            raise self._failed("the last question has no answer yet")
        if self._asked is None:
            self._until, self._answering = until, False
            decision = self._go_on()
        if self._asked is not None:
            decision = model._put = self._waiting = self._asked
            self._asked = None
        return decision

    def answer(self, label: str) -> None:
        """Does what `Asking.answer` does; code that `choose` has suspended goes on when time does."""
        model = self.model
        if model._put is None or model._put is self._waiting:
            type(model).answer(model, label)
        else:
            self._label, self._answering = label, True
            self._go_on()

    def _go_on(self) -> Decision | None:
        """Lets the code go on until it comes back."""
        code, here = self._code, getcurrent()
        if code.dead:
            return None
        if code.parent is not here:
            try:
                code.parent = here
            except ValueError:
                raise InputError(
                    f"{type(self.model).__name__} was begun in another thread: a model with choose(), or one "
                    "that runs its own environment, goes on in the thread that made it"
                ) from None
        before, running.sources = running.sources, self.model.world.sources
        try:
            return code.switch()
        finally:
            running.sources = before

    def _give_up(self) -> None:
        """Ends the code where it is suspended."""
        self._empty()
        self._halt()
        before = running.sources
        self._code = None  # the last reference to it, so that GreenletExit is raised in it
        running.sources = before  # and not those of the code, which has just been left

    # The code calls these, from inside.

    def choose(self, decision: Decision) -> Any:
        """Suspends the code until a question has its answer.

        Returns:
            The chosen object.

        Raises:
            ProcessError: If it isn't the model's code that asks, or the question offers no choice.
        """
        model = self.model
        self._check_alive()
        if getcurrent() is not self._code:
            raise self._failed(
                f"choose({decision.question!r}) was called where the process doesn't run: observe(), the "
                "state's function and fingerprint() can't ask",
                AskedOutside,
            )
        labels = model._labels(decision)
        if WAIT in labels:
            raise self._failed(
                f"choose({decision.question!r}) offers {WAIT!r}, which means that the question is put again "
                "later: only a process can wait, at decide(); a choice to do nothing needs another name, "
                "e.g. 'not yet'"
            )
        if len(labels) == 1:
            decision.resolve(labels[0])
            return decision.value
        model._chosen = True
        self._asked = decision
        # Something of the present event remains, so that it isn't over for those who look.
        unfinished = model.env._rest
        unfinished.append((decision, []))
        self._come_back(None)
        unfinished.pop()
        self._waiting = None
        if self._until != self._limit:
            self._halt()
        return decision.value

    def run(self, env: Any, until: Any = None) -> Any:
        """Does what `simpy.Environment.run` does, from question to question.

        Args:
            env: The environment that is run.
            until: A time, an event, or None for as long as anything happens.

        Raises:
            InputError: If a process runs the environment that runs it, or the code runs another environment
                than before.
        """
        self._check_alive()
        if self._inside or getcurrent() is not self._code:
            raise InputError(
                "env.run() was called in a process: take it out of there; only the code that starts the "
                "model runs the environment itself"
            )
        if env is not self.model.env:
            if self.runs:
                raise _second()
            self.model.env = env
        if any(decision.callbacks for decision in (*env.at_once, *self.model._pending)):
            raise InputError("env.step() came to a question: write env.run(until=…) in its place")
        if until is not None and not isinstance(until, simpy.Event):
            if until <= env.now:  # SimPy's own words
                raise ValueError(f"until ({until}) must be greater than the current simulation time")
            time, until = until, simpy.Event(env)
            until._ok, until._value = True, None
            env.schedule(until, URGENT, time - env.now)
        if until is not None and until.callbacks is None:
            return until.value
        if until is not None:
            until.callbacks.append(self._reach)
        self.runs += 1
        if self.runs == 1:
            self._come_back(None)  # the model is built
        else:
            self.model.world = LaterRun(self.model.world, self.runs)
        self._loop()
        if until is None:
            return None
        if self._reached is not until:
            raise RuntimeError(
                f"nothing happens any more, and {until!r}, until which env.run() goes, never came"
            )
        return until.value

    def adopt(self, env: Any) -> None:
        """Makes an environment of the code's own the one that is run, unless the code runs an earlier one.

        Raises:
            InputError: If the code has run one already.
        """
        model = self.model
        if self.runs:
            raise _second()
        env.__class__ = _stopping(type(env))
        env.at_once, env._rest, env.own_code, env.adopted = [], [], self, True
        env.simdistill_model = model
        model.env = env
        model.world.begin(env)

    def _live(self) -> None:
        """Builds the model; runs it, unless its code has; and ends the episode."""
        self.model._guard(self.model.build)
        if not self.runs:
            self.run(self.model.env)
        self._empty()

    def _loop(self) -> None:
        """Runs on from question to question, until nothing happens any more."""
        model, kind = self.model, type(self.model)
        self._inside, self._reached = True, None
        try:
            while True:
                self._check_alive()
                if self._label is not None:
                    label, self._label = self._label, None
                    kind.answer(model, label)
                    if self._answering:  # else choose() suspended it meanwhile, and time goes on
                        self._come_back(None)
                    continue
                self._limit = self._until
                decision = kind.advance(model, self._limit)
                self._check_alive()
                if isinstance(decision, _Halt):
                    model._put = None
                    if self._reached is not None:
                        return
                    continue
                if decision is None and model.env.peek() == math.inf:
                    return
                self._come_back(decision)
        finally:
            self._inside = False

    def _reach(self, event: simpy.Event) -> None:
        self._reached = event
        self._halt()

    def _halt(self) -> None:
        """Stops the loop: what `env.run()` waits for has come, or the time to stop is another one."""
        at_once = self.model.env.at_once
        if not any(isinstance(decision, _Halt) for decision in at_once):
            at_once.append(_Halt(self.model.env))

    def _come_back(self, decision: Decision | None) -> None:
        self._code.parent.switch(decision)

    def _failed(self, reason: str, kind: type[ProcessError] = ProcessError) -> ProcessError:
        simulator, seed_path, time = self.model._where()
        return kind(simulator, seed_path, time, reason)

    def _check_alive(self) -> None:
        if self._code is None:
            raise GreenletExit

    def _empty(self) -> None:
        """Takes out all that would still happen."""
        env = self.model.env
        for waiting in (env._queue, env._rest, env.at_once, self.model._pending, self.model._asleep):
            waiting.clear()


def _second() -> InputError:
    return InputError(
        "the model makes a second simpy.Environment() after it has run one: give process_model what makes "
        "one run of the model, and leave the loop over replications out"
    )


class _Halt(Decision):
    """What is put to stop the loop after the present callback, without a question to anybody."""

    def __init__(self, env: simpy.Environment):
        super().__init__(env, "", ("on", "off"), None, "", -sys.maxsize)
        self.callbacks.append(lambda event: None)


class _Code(greenlet):
    """The greenlet of a script."""

    script: Script


class _HandedOut:
    """What goes before a model's class in the model that is handed out; the code's twin runs as it is."""

    script: Script

    def advance(self, until: float = math.inf) -> Decision | None:
        return self.script.advance(until)

    def answer(self, label: str) -> None:
        self.script.answer(label)


@lru_cache
def _handed_out(kind: type) -> type:
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind)(kind.__name__, (_HandedOut, kind), names)


@lru_cache
def _stopping(kind: type) -> type:
    """A kind of environment that stops at questions: SimPy's, or a subclass of the author's."""
    if kind is simpy.Environment:
        return StoppingEnvironment
    return type(kind.__name__, (kind, StoppingEnvironment), {"__module__": kind.__module__})


def _let_environments_be_adopted() -> None:
    """Sees that an environment that a script makes becomes its model's, wherever the class was imported."""
    plain = simpy.Environment.__init__
    if hasattr(plain, "__wrapped__"):
        return

    @wraps(plain)
    def made(self, *arguments: Any, **named: Any) -> None:
        plain(self, *arguments, **named)
        script = getattr(getcurrent(), "script", None)
        if script is not None and script.runs_itself and not isinstance(self, StoppingEnvironment):
            script.adopt(self)

    setattr(simpy.Environment, "__init__", made)  # noqa: B010 (a method is typed as fixed)
