"""Numbers in the form in which people read them."""

from collections.abc import Mapping, Sequence
from typing import Any

from simdistill.statistics import Estimate

NOTHING = "–"


def decimals(value: float) -> int:
    """Digits after the point that leave two or three that mean something."""
    size = abs(value)
    return 2 if size == 0 else next((n for n, least in enumerate((100, 10, 0.1, 0.01)) if size >= least), 4)


def number(value: float | None) -> str:
    """A cost, time or rate with three digits or so; a true minus sign."""
    return NOTHING if value is None else fixed(value, decimals(value))


def fixed(value: float, digits: int) -> str:
    """A number with `digits` after the point, "0" never as "-0"."""
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def percent(value: float | None) -> str:
    """A fraction as percent: 0.087 is "8.7%"."""
    return NOTHING if value is None else f"{fixed(100 * value, percent_decimals(value))}%"


def percent_decimals(value: float) -> int:
    """Digits after the point of a fraction given as percent."""
    size = abs(100 * value)
    return 0 if size >= 100 else 1 if size >= 1 else 2


def interval(value: Estimate | None, as_percent: bool = False) -> str:
    """The interval in words, "0.31 to 0.55%", with as many digits as the mean; empty for exact numbers."""
    if value is None or not value.has_interval:
        return ""
    if not as_percent:
        digits = decimals(value.mean)
        return f"{fixed(value.low, digits)} to {fixed(value.high, digits)}"
    digits = percent_decimals(value.mean)
    return f"{fixed(100 * value.low, digits)} to {fixed(100 * value.high, digits)}%"


def share(value: float | None) -> str:
    """A share as percent, cut off rather than rounded, so that only everything is 100%."""
    if value is None:
        return NOTHING
    return "100%" if value >= 1 else f"{int(value * 10000) / 100:.2f}%"


def probability(value: float) -> str:
    """A probability as percent that never claims certainty."""
    if value > 0.9995 or value < 0.0005:
        return ">99.9%" if value > 0.5 else "<0.1%"
    return f"{100 * value:.1f}%"


def trimmed(value: float) -> str:
    """A tick's number without idle zeros."""
    return fixed(value, 4).rstrip("0").rstrip(".")


def count(value: float | None) -> str:
    """A whole number with separators."""
    return NOTHING if value is None else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """Seconds as "41 s" or "8 min 20 s"."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def words(name: str) -> str:
    """An identifier as words: "arrival_rate" is "arrival rate"."""
    return name.replace("_", " ")


def short(value: Any) -> str:
    """A parameter's value: three significant digits, lists as "2 / 0.5"."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " / ".join(short(part) for part in value)
    return str(value)


def parameters(values: Mapping[str, Any] | None) -> str:
    """Parameters as "arrival rate 2, service rates 2 / 0.5"."""
    return ", ".join(f"{words(name)} {short(value)}" for name, value in (values or {}).items())


def parameter_headings(values: Mapping[str, Any]) -> str:
    """Names of parameters as "arrival rate · service rates"."""
    return " · ".join(words(name) for name in values)


def parameter_values(values: Mapping[str, Any]) -> str:
    """Values of parameters under those headings: "2 · 2 / 0.5"."""
    return " · ".join(short(value) for value in values.values())


def listing(parts: Sequence[str]) -> str:
    """Parts as "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
