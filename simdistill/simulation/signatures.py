"""Signatures: what a function or a class that makes a model takes."""

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pydantic
import simpy

from simdistill.errors import InputError
from simdistill.simulation.parameters import Parameters

ENVIRONMENTS = ("env", "environment")
"""Names by which an environment is taken wherever it stands."""


@dataclass(frozen=True)
class Signature:
    """What makes a model, and what starts it.

    Attributes:
        name: Name of the function or class.
        environment: Name of the parameter that takes the environment; None where the code makes its own.
        fields: Name of a parameter -> its type and its default.
        made: Names of the parameters of the function or constructor.
        started: Names of the parameters of the method that starts it.
    """

    name: str
    environment: str | None
    fields: dict[str, tuple[Any, Any]]
    made: tuple[str, ...]
    started: tuple[str, ...]

    @classmethod
    def of(cls, function: Callable[..., Any], start: str = "") -> "Signature":
        """Reads the signature of a function or class.

        Args:
            function: The function or class.
            start: Name of the method that starts it, or "".

        Raises:
            InputError: If there is no such method, or a parameter has no default.
        """
        name = function.__name__
        parameters = list(inspect.signature(function).parameters.values())
        environment = _environment(parameters)
        parameters = [parameter for parameter in parameters if parameter is not environment]
        constructor = function.__init__ if isinstance(function, type) else function
        fields, started = _fields(constructor, parameters, name), {}
        if start:
            method = getattr(function, start, None)
            if not callable(method):
                raise InputError(f"process_model({name}, start={start!r}): there is no method {start}()")
            wanted = list(inspect.signature(method).parameters.values())[1:]
            started = _fields(method, wanted, f"{name}.{start}")
        return cls(
            name, environment and environment.name, {**started, **fields}, tuple(fields), tuple(started)
        )

    def parameters(self, base: type[Parameters]) -> type[Parameters]:
        """Returns the class of the model's parameters."""
        return pydantic.create_model("Params", __base__=base, **self.fields)  # type: ignore[call-overload]

    def made_with(self, env: simpy.Environment, params: Parameters) -> dict[str, Any]:
        """Returns the arguments of the function or constructor."""
        taken = {} if self.environment is None else {self.environment: env}
        return taken | {name: getattr(params, name) for name in self.made}

    def started_with(self, params: Parameters) -> dict[str, Any]:
        """Returns the arguments of the method that starts the model."""
        return {name: getattr(params, name) for name in self.started}


def _environment(parameters: list[inspect.Parameter]) -> inspect.Parameter | None:
    """The parameter that takes the environment: one of that name, or else the first if it has no default."""
    for parameter in parameters:
        if parameter.name in ENVIRONMENTS:
            return parameter
    first = parameters[0] if parameters else None
    named = first is not None and first.kind is first.POSITIONAL_OR_KEYWORD
    return first if first is not None and named and first.default is first.empty else None


def _fields(
    function: Callable[..., Any], parameters: list[inspect.Parameter], name: str
) -> dict[str, tuple[Any, Any]]:
    """Types and defaults of parameters."""
    hints = typing.get_type_hints(function, include_extras=True) if parameters else {}
    fields: dict[str, tuple[Any, Any]] = {}
    for parameter in parameters:
        where = f"parameter '{parameter.name}' of {name}()"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InputError(f"{where}: write parameters by name, without * and /")
        if parameter.default is parameter.empty:
            raise InputError(f"{where} needs a default, as in {parameter.name}=1.0")
        default = parameter.default
        known = type(default) if isinstance(default, bool | int | float | str) else Any
        fields[parameter.name] = (hints.get(parameter.name, known), default)
    return fields
