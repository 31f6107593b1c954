"""The page: what a run's files say, arranged for a reader."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from simdistill.files import write_text
from simdistill.report import figures, formats
from simdistill.report.figures import ACCENT, CHOICE_COLOURS, INK, LARGEST_MAP, MUTED, VARIABLES, Row
from simdistill.report.record import ANCHORS, SETTINGS, Record, read_record
from simdistill.report.templates import templates
from simdistill.statistics import Estimate

TERMS = {"imitation": CHOICE_COLOURS[0], "regret": ACCENT, "validity": CHOICE_COLOURS[1]}


def write_report(run_folder: Path) -> Path:
    """Writes `report.html` of a finished run.

    Args:
        run_folder: Holds config.yaml and metrics.json; metrics.jsonl, examination.json and environment.json
            add their parts of the page where they are there.

    Returns:
        The page's path.

    Raises:
        InputError: If the run isn't finished, or one of its files can't be read.
    """
    path = Path(run_folder) / "report.html"
    page = (
        templates(Path(__file__).parent)
        .get_template("report.html.j2")
        .render(**contents(read_record(Path(run_folder))))
    )
    # A lone surrogate, which JSON can hold and UTF-8 can't, becomes a question mark.
    write_text(path, page.encode("utf-8", "replace").decode("utf-8"))
    return path


def contents(record: Record) -> dict[str, Any]:
    """Everything that the template shows; parts without data are None or empty."""
    return {
        "record": record,
        "byline": _byline(record),
        "time_unit": (record.config.get("task") or {}).get("time_unit", "minute"),
        "headline": _headline(record),
        "tiles": _tiles(record),
        "verdict": _verdict(record),
        "facts": _facts(record),
        "instead": record.metrics.get("said_instead_of_choices") or [],
        "policies": _policy_rows(record),
        "settings": {key: title for key, title in SETTINGS.items() if record.cost("student", key)},
        "confirmation": _confirmation(record),
        "dot_plots": _dot_plots(record),
        "learning": _learning(record),
        "forecasts": _forecasts(record),
        "decision_map": _decision_map(record),
        "episode": _episode(record),
        "sets": _sets(record),
        "questions": [_question(entry) for entry in record.examination.get("questions") or []],
        "stages": _stages(record),
        "counts": _counts(record),
        "generations": _generations(record),
        "environment": _environment(record),
        "failed": [str(entry) for entry in record.metrics.get("failed_rollouts") or []],
    }


def _byline(record: Record) -> list[str]:
    student = (record.config.get("student") or {}).get("name")
    seed = record.metrics.get("seed")
    parts = (
        record.metrics.get("task"),
        student,
        record.metrics.get("method"),
        f"seed {seed}" if seed is not None else None,
    )
    return ["simdistill", *(str(part) for part in parts if part)]


def _headline(record: Record) -> dict[str, str]:
    task = formats.words(str(record.metrics.get("task", "its task")))
    default = ((record.config.get("task") or {}).get("parameters") or {}).get("default")
    where = "at the default parameters" + (f": {formats.parameters(default)}" if default else "")
    over = record.over_reference("student", "default")
    if over is None:
        unstable = (record.cost("student", "default") or {}).get("unstable")
        text = f"lets {task} grow without end" if unstable else f"ran {task}"
        return {"before": f"The student {text}", "figure": "", "after": "", "where": where}
    return {
        "before": f"The student runs {task} at",
        "figure": formats.percent(abs(over.mean)),
        "after": f"{'below' if over.mean < 0 else 'above'} {record.reference_words}",
        "where": where,
    }


def _tiles(record: Record) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "over": record.over_reference("student", setting),
            "unstable": (record.cost("student", setting) or {}).get("unstable"),
            "exact": (record.cost("student", setting) or {}).get("exact"),
            "teacher": record.over_reference("teacher", setting),
            "heuristic": record.over_reference(record.heuristic, setting) if record.heuristic else None,
            "gap": record.gap_closed(setting),
            "verdict": _compared(record, setting),
        }
        for setting, title in SETTINGS.items()
        if record.cost("student", setting)
    ]


def _verdict(record: Record) -> str:
    """Whether the student beats what a practitioner would use, by the interval of the gap closed."""
    said: dict[str, list[str]] = {"better": [], "not clearly different": [], "worse": [], "undecided": []}
    for setting, title in SETTINGS.items():
        if record.cost("student", setting):
            said[_compared(record, setting)].append(
                ("at the " if setting == "default" else "") + title.lower()
            )
    name = record.title(record.heuristic).lower() if record.heuristic else ""
    found = {word: places for word, places in said.items() if places}
    if not name or not found:
        return ""
    if list(found) == ["undecided"]:
        return f"How it compares with the practitioner's heuristic ({name}) could not be decided."
    parts = []
    for word, places in found.items():
        where = (
            "everywhere it was examined" if len(found) == 1 and len(places) > 1 else formats.listing(places)
        )
        parts.append(f"{word} {where}")
    return f"Against the practitioner's heuristic ({name}), the student is {'; '.join(parts)}."


def _compared(record: Record, setting: str) -> str:
    gap = record.gap_closed(setting)
    if (record.cost("student", setting) or {}).get("unstable"):
        return "worse"
    if record.heuristic and (record.cost(record.heuristic, setting) or {}).get("unstable"):
        return "better"
    if gap is None:
        return "undecided"
    low, high = gap.ci95 or (gap.mean, gap.mean)
    return "better" if low > 0 else "worse" if high < 0 else "not clearly different"


def _facts(record: Record) -> list[tuple[str, str]]:
    metrics = record.metrics
    seconds = metrics.get("seconds") or {}
    read = metrics.get("perplexity") or {}
    facts = [
        ("valid answers", formats.share(metrics.get("valid_answers"))),
        ("decisions per second", formats.number(metrics.get("decisions_per_second"))),
        ("from start to report", formats.duration(sum(seconds.values())) if seconds else formats.NOTHING),
        ("questions learned from", formats.count(metrics.get("questions"))),
        ("perplexity of plain English", formats.number(read.get("student"))),
        ("the same before training", formats.number(read.get("untuned"))),
    ]
    return [(name, value) for name, value in facts if value != formats.NOTHING]


def _policy_rows(record: Record) -> list[dict[str, Any]]:
    return [
        {
            "title": record.title(name),
            "role": _role(record, name),
            "cells": [
                _cost_cell(record, name, setting) for setting in SETTINGS if record.cost("student", setting)
            ],
        }
        for name in record.policies
    ]


def _role(record: Record, name: str) -> str:
    roles = {record.heuristic: "the practitioner's heuristic", record.reference: "the reference"}
    return roles.get(name, "")


def _cost_cell(record: Record, name: str, setting: str) -> dict[str, Any]:
    cost = record.cost(name, setting) or {}
    value = Estimate.of(cost)
    simulated = cost.get("simulated") or {}
    return {
        "cost": value,
        "unstable": cost.get("unstable"),
        "growth": Estimate.of(cost.get("growth")),
        "over": record.over_reference(name, setting) if value and name != record.reference else None,
        "exact": cost.get("exact"),
        "replications": cost.get("replications"),
        "simulated": Estimate.of(simulated),
        "simulated_replications": simulated.get("replications"),
    }


def _confirmation(record: Record) -> dict[str, int] | None:
    """How many exact costs lie inside the 95% interval of their simulation."""
    inside = [
        simulated.low <= exact.mean <= simulated.high
        for name in record.policies
        for setting in SETTINGS
        if (cost := record.cost(name, setting)) and cost.get("exact")
        if (exact := Estimate.of(cost))
        and (simulated := Estimate.of(cost.get("simulated")))
        and simulated.ci95
    ]
    return {"inside": sum(inside), "of": len(inside)} if inside else None


def _dot_plots(record: Record) -> list[tuple[str, Markup]]:
    return [
        (
            title,
            figures.dots(
                f"dots-{setting}", f"Cost over {record.reference_words}, {title.lower()}", rows, limit
            ),
        )
        for setting, title in SETTINGS.items()
        if record.cost("student", setting)
        if (rows := _dot_rows(record, setting))
        if (limit := _dot_limit(record)) is not None
    ]


def _dot_rows(record: Record, setting: str) -> list[Row]:
    rows = []
    for name in record.policies:
        cost = record.cost(name, setting)
        if name == record.reference or cost is None:
            continue
        over = None if cost.get("unstable") else record.over_reference(name, setting)
        label = "unstable" if cost.get("unstable") else formats.percent(over.mean if over else None)
        colour = ACCENT if name == "student" else INK if name == "teacher" else MUTED
        rows.append(Row(record.title(name), over, label, colour))
    return rows


def _dot_limit(record: Record) -> float:
    """Right end of all three axes: anchors that nobody would use don't squeeze the rest."""
    ends = [
        max(over.mean, *(over.ci95 or [0.0]))
        for name in record.policies
        for setting in SETTINGS
        if name not in ANCHORS and (over := record.over_reference(name, setting))
    ]
    return 1.12 * max([0.01, *ends])


def _learning(record: Record) -> dict[str, Any] | None:
    steps = [row for row in record.history if "loss" in row]
    tuned = [row for row in record.history if "tune_regret" in row]
    if not steps:
        return None
    lines = {
        term: (colour, [row["questions"] for row in steps], [row[term] for row in steps])
        for term, colour in TERMS.items()
        if all(row.get(term) is not None for row in steps)
    } or {"loss": (ACCENT, [row["questions"] for row in steps], [row["loss"] for row in steps])}
    rounds = _round_starts(steps)
    plots = [
        (
            "Training loss, " + ("by term" if len(lines) > 1 else "all terms"),
            figures.curves("loss", "Training loss by term", lines, rounds, logarithmic=True, smooth=True),
        )
    ]
    for key, title, as_percent in (
        ("tune_regret", "Regret on the tuning questions", False),
        ("tune_agreement", "Agreement with the teacher", True),
    ):
        points = [row for row in tuned if row.get(key) is not None]
        if points:
            line = {key: (ACCENT, [row["questions"] for row in points], [row[key] for row in points])}
            plots.append((title, figures.curves(key, title, line, rounds, as_percent=as_percent)))
    return {
        "plots": plots,
        "rounds": len(rounds),
        "last": tuned[-1] if tuned else None,
        "soft": bool((record.config.get("distill") or {}).get("soft")),
    }


def _round_starts(steps: Sequence[Mapping[str, Any]]) -> list[float]:
    return [
        before["questions"] for before, after in pairwise(steps) if before.get("round") != after.get("round")
    ]


def _forecasts(record: Record) -> dict[str, Any] | None:
    found, points = record.metrics.get("forecasts"), record.examination.get("reliability")
    if not found or not points:
        return None
    return {
        "skill": Estimate.of(found["skill"]),
        "scores": found["log_score"],
        "states": found["states"],
        "futures": found["futures"],
        "questions": record.examination.get("forecasts") or [],
        "figure": figures.reliability("reliability", "What happened against what the student said", points),
    }


def _decision_map(record: Record) -> dict[str, Any] | None:
    found = record.examination.get("decision_map")
    if not found or len(found.get("axes") or ()) != 2 or not found.get("policies"):
        return None
    choices = found["policies"]
    best = choices.get(record.reference)
    time = found.get("stationary")
    if time is None or not np.sum(time) > 0:
        time = None
    colours = _colours(found["labels"])
    axis_titles = tuple(found["axes"])
    panels = [
        {
            "title": record.title(name),
            "agreement": _agreement(choice_XY, best, time) if best and name != record.reference else None,
            "figure": figures.decision_map(
                f"map-{name}",
                f"Decision map: {record.title(name)}",
                choice_XY,
                best,
                time,
                colours,
                axis_titles,
            ),
        }
        for name, choice_XY in choices.items()
    ]
    owner = found.get("stationary_policy")
    return {
        "panels": panels,
        "colours": {
            label: colour for label, colour in _variables(colours).items() if _appears(label, choices)
        },
        "parameters": found.get("parameters"),
        "weighted": time is not None,
        "cut": _cut(choices),
        "time_of": f"under the {record.title(owner).lower()}" if owner else "",
        "student": _agreement(choices["student"], best, time) if best and "student" in choices else None,
        "differing": _differing(choices.get("student"), best),
    }


def _colours(labels: Sequence[str]) -> dict[str, str]:
    return {label: CHOICE_COLOURS[place % len(CHOICE_COLOURS)] for place, label in enumerate(labels)}


def _variables(colours: Mapping[str, str]) -> dict[str, str]:
    """The same colours for use in the page's own styles."""
    return {label: f"var(--{VARIABLES[colour]})" for label, colour in colours.items()}


def _appears(label: str, choices: Mapping[str, Sequence[Sequence[str | None]]]) -> bool:
    return any(label in column for choice_XY in choices.values() for column in choice_XY)


def _cut(choices: Mapping[str, Sequence[Sequence[str | None]]]) -> str:
    """Where maps end that are larger than can be drawn legibly; empty if none is."""
    largest = max(max(len(choice_XY), len(choice_XY[0])) for choice_XY in choices.values())
    return str(LARGEST_MAP - 1) if largest > LARGEST_MAP else ""


def _agreement(choice_XY: Sequence, best_XY: Sequence, time_XY: Sequence | None) -> float | None:
    """Share of the time spent in states where both choose alike; None without the shares of time."""
    if time_XY is None:
        return None
    weight = [
        (time, choice == best)
        for columns in zip(choice_XY, best_XY, time_XY, strict=True)
        for choice, best, time in zip(*columns, strict=True)
        if choice is not None and best is not None
    ]
    total = sum(time for time, _ in weight)
    return 1 - sum(time for time, same in weight if not same) / total if total else None


def _differing(choice_XY: Sequence | None, best_XY: Sequence | None) -> tuple[int, int] | None:
    """States where two maps differ, and states in all."""
    if not choice_XY or not best_XY:
        return None
    same = [
        choice == best
        for columns in zip(choice_XY, best_XY, strict=True)
        for choice, best in zip(*columns, strict=True)
        if choice is not None and best is not None
    ]
    return same.count(False), len(same)


def _episode(record: Record) -> dict[str, Any] | None:
    found = record.examination.get("episode")
    if not found or not found.get("policies") or len(found.get("times") or ()) < 2:
        return None
    time_T, quantity = found["times"], next(iter(next(iter(found["policies"].values()))))
    totals = {
        name: np.sum(list(series[quantity].values()), axis=0) for name, series in found["policies"].items()
    }
    highest = max(float(total_T.max()) for total_T in totals.values()) or 1.0
    colours = _colours(list(next(iter(found["policies"].values()))[quantity]))
    last = list(totals)[-1]
    unit = f"{(record.config.get('task') or {}).get('time_unit', 'minute')}s"
    rows = [
        {
            "title": record.title(name),
            "mean": _time_average(time_T, totals[name]),
            "figure": figures.queue_lengths(
                f"episode-{name}",
                f"{quantity} over time: {record.title(name)}",
                time_T,
                series[quantity],
                colours,
                highest,
                unit if name == last else "",
            ),
        }
        for name, series in found["policies"].items()
    ]
    return {
        "rows": rows,
        "colours": _variables(colours),
        "quantity": quantity,
        "parameters": found.get("parameters"),
    }


def _time_average(time_T: Sequence[float], value_T: np.ndarray) -> float:
    return float(np.dot(value_T[:-1], np.diff(time_T)) / (time_T[-1] - time_T[0]))


def _sets(record: Record) -> dict[str, Any] | None:
    groups, limit = [], _set_limit(record)
    for setting, entries in (record.examination.get("sets") or {}).items():
        if not entries:
            continue
        names = [name for name in ("student", record.heuristic) if name and name in entries[0]["cost"]]
        over = {name: [_over(entry["cost"], name, record.reference) for entry in entries] for name in names}
        colours = dict(zip(names, (ACCENT, MUTED), strict=False))
        title = SETTINGS.get(setting, formats.words(setting).capitalize())
        groups.append(
            {
                "title": title,
                "headings": formats.parameter_headings(entries[0]["parameters"]),
                "policies": [record.title(name) for name in entries[0]["cost"]],
                "rows": [
                    {
                        "parameters": formats.parameters(entry["parameters"]),
                        "costs": [
                            formats.number(value) if value is not None else "unstable"
                            for value in entry["cost"].values()
                        ],
                    }
                    for entry in entries
                ],
                "figure": figures.dumbbells(
                    f"sets-{setting}",
                    f"Cost over {record.reference_words} by parameter set, {title.lower()}",
                    [formats.parameter_values(entry["parameters"]) for entry in entries],
                    {colours[name]: over[name] for name in names},
                    limit,
                ),
                "better": _better(over, record.heuristic),
                "of": len(entries),
            }
        )
    return {"groups": groups, "heuristic": record.title(record.heuristic)} if groups else None


def _set_limit(record: Record) -> float:
    """Right end of the axis for all groups of parameter sets, so that they can be compared."""
    known = [
        over
        for entries in (record.examination.get("sets") or {}).values()
        for entry in entries
        for name in ("student", record.heuristic)
        if name and (over := _over(entry["cost"], name, record.reference)) is not None
    ]
    return 1.12 * max([0.01, *known])


def _over(cost: Mapping[str, float | None], name: str, reference: str) -> float | None:
    own, best = cost.get(name), cost.get(reference)
    return own / best - 1 if own is not None and best else None


def _better(over: Mapping[str, Sequence[float | None]], heuristic: str | None) -> int | None:
    """Sets in which the student costs less than the heuristic; a policy whose queues grow costs most."""
    if not heuristic or heuristic not in over or "student" not in over:
        return None
    endless = float("inf")
    return sum(
        (endless if own is None else own) < (endless if other is None else other)
        for own, other in zip(over["student"], over[heuristic], strict=True)
    )


def _question(entry: Mapping[str, Any]) -> dict[str, Any]:
    costs, errors = entry.get("costs"), entry.get("standard_errors")
    probabilities = entry.get("probabilities")
    choices = entry["choices"]
    rows = [
        {
            "label": label,
            "probability": probabilities[place] if probabilities else None,
            "cost": _difference(costs[place], errors[place] if errors else None) if costs else "",
            "teacher": label == entry.get("teacher"),
            "student": label == entry.get("student"),
        }
        for place, label in enumerate(choices)
    ]
    valid = entry.get("valid", True)
    return {
        "situation": entry["situation"],
        "rows": rows,
        "agrees": entry.get("teacher") == entry.get("student"),
        "valid": valid,
        "greedy": entry.get("greedy"),
        "shows_greedy": not valid or entry.get("greedy") not in (None, entry.get("student")),
    }


def _difference(cost: float | None, error: float | None) -> str:
    if cost is None:
        return formats.NOTHING
    sign = "+" if cost > 0 else ""
    return f"{sign}{formats.fixed(cost, 2)}" + (f" ± {formats.fixed(error, 2)}" if error else "")


def _stages(record: Record) -> list[tuple[str, float, float]]:
    """Stage, seconds, share of the longest stage."""
    seconds = record.metrics.get("seconds") or {}
    longest = max([*seconds.values(), 1e-9])
    return [(formats.words(stage), spent, spent / longest) for stage, spent in seconds.items()]


def _counts(record: Record) -> list[tuple[str, str]]:
    metrics = record.metrics
    rows = [
        (f"tokens {formats.words(key)}", formats.count(n)) for key, n in (metrics.get("tokens") or {}).items()
    ]
    steps = metrics.get("simulator_steps") or {}
    rows += [(f"simulator steps to {formats.words(key)}", formats.count(n)) for key, n in steps.items()]
    if metrics.get("peak_memory_mb") is not None:
        rows.append(("peak memory", f"{formats.count(metrics['peak_memory_mb'])} MB"))
    return rows


def _generations(record: Record) -> list[dict[str, Any]]:
    return [
        {
            "number": entry.get("generation", place),
            "accepted": bool(entry.get("accepted")),
            "improvement": Estimate.of(entry.get("improvement")),
        }
        for place, entry in enumerate(record.metrics.get("generations") or [], start=1)
    ]


def _environment(record: Record) -> list[tuple[str, str]]:
    rows = [("method", record.metrics.get("method")), ("seed", record.metrics.get("seed"))]
    for key, value in record.environment.items():
        rows += value.items() if isinstance(value, dict) else [(key, value)]
    return [(formats.words(str(key)), str(value)) for key, value in rows if value is not None]
