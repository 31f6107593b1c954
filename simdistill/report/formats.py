"""Formats numbers and other values for readers."""

from collections.abc import Mapping, Sequence
from typing import Any

from simdistill.statistics import Estimate

NOTHING = "–"


def decimals(value: float) -> int:
    """Returns the number of decimals with which a number has two or three significant digits."""
    size = abs(value)
    return 2 if size == 0 else next((n for n, least in enumerate((100, 10, 0.1, 0.01)) if size >= least), 4)


def number(value: float | None) -> str:
    """Returns a cost, time or rate with about three digits and a typographic minus sign."""
    return NOTHING if value is None else fixed(value, decimals(value))


def fixed(value: float, digits: int) -> str:
    """Returns a number with `digits` decimals; zero never has a minus sign."""
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def percent(value: float | None) -> str:
    """Returns a fraction as percent: 0.087 is "8.7%"."""
    return NOTHING if value is None else f"{fixed(100 * value, percent_decimals(value))}%"


def percent_decimals(value: float) -> int:
    """Returns the number of decimals for a fraction that is written as percent."""
    size = abs(100 * value)
    return 0 if size >= 100 else 1 if size >= 1 else 2


def interval(value: Estimate | None, as_percent: bool = False) -> str:
    """Returns an interval in words, "0.31 to 0.55%", with the mean's decimals; empty for exact numbers."""
    if value is None or not value.has_interval:
        return ""
    if not as_percent:
        digits = decimals(value.mean)
        return f"{fixed(value.low, digits)} to {fixed(value.high, digits)}"
    digits = percent_decimals(value.mean)
    return f"{fixed(100 * value.low, digits)} to {fixed(100 * value.high, digits)}%"


def share(value: float | None) -> str:
    """Returns a share as percent, rounded down, so that only a share of 1 is written 100%."""
    if value is None:
        return NOTHING
    return "100%" if value >= 1 else f"{int(value * 10000) / 100:.2f}%"


def probability(value: float) -> str:
    """Returns a probability as percent, but never as 0% or 100%."""
    if value > 0.9995 or value < 0.0005:
        return ">99.9%" if value > 0.5 else "<0.1%"
    return f"{100 * value:.1f}%"


def trimmed(value: float) -> str:
    """Returns an axis tick's number without trailing zeros."""
    return fixed(value, 4).rstrip("0").rstrip(".")


def count(value: float | None) -> str:
    """Returns a whole number with thousands separators."""
    return NOTHING if value is None else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """Returns seconds as "41 s" or "8 min 20 s"."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def words(name: str) -> str:
    """Returns an identifier as words: "arrival_rate" is "arrival rate"."""
    return name.replace("_", " ")


def short(value: Any) -> str:
    """Returns a parameter's value with three significant digits; lists as "2 / 0.5"."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " / ".join(short(part) for part in value)
    return str(value)


def parameters(values: Mapping[str, Any] | None) -> str:
    """Returns parameters as "arrival rate 2, service rates 2 / 0.5"."""
    return ", ".join(f"{words(name)} {short(value)}" for name, value in (values or {}).items())


def parameter_headings(values: Mapping[str, Any]) -> str:
    """Returns the names of parameters as "arrival rate · service rates"."""
    return " · ".join(words(name) for name in values)


def parameter_values(values: Mapping[str, Any]) -> str:
    """Returns the values of parameters, in the order of `parameter_headings`: "2 · 2 / 0.5"."""
    return " · ".join(short(value) for value in values.values())


def listing(parts: Sequence[str]) -> str:
    """Returns parts as "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
