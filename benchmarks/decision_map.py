"""The picture of the front page: what optimum, practitioner and student decide, and what that costs.

    simdistill run task=queueing seed=1
    python benchmarks/decision_map.py outputs/queueing/<run>

keeps in `benchmarks/results/queueing_map.json` what the picture needs of a run. `python
benchmarks/figures.py` draws it.
"""

import json
import sys
from pathlib import Path

import drawing
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from drawing import COLOURS, GREY, STYLE
from matplotlib.colors import ListedColormap

from simdistill.files import read_json
from simdistill.results import Results

KEPT = Path(__file__).parent / "results" / "queueing_map.json"
POLICIES = {
    "optimum": "optimum",
    "shortest_expected_delay": "practitioner's rule",
    "student": "student",
}
SHOWN = (9, 7)
"""Jobs at A and at B up to which decisions are drawn: the process is hardly ever in other states."""
COSTS = {
    "join_shortest_queue": "shortest queue",
    "shortest_expected_delay": "practitioner's rule",
    "student": "student",
}


def keep(run: Path) -> None:
    """Writes the choices of a run's policies, and their costs over the optimum's."""
    found = read_json(run / "examination.json")["tasks"][0]["decision_map"]
    results = Results.read(run / "metrics.json")
    policies = results.tasks[0].policies
    over = {name: policies[name].over_reference["default"] for name in COSTS}
    across, up = SHOWN
    kept = {
        "command": f"simdistill run task=queueing seed={results.seed}",
        "parameters": found["parameters"],
        "labels": found["labels"],
        "choices": {name: [row[:up] for row in found["policies"][name][:across]] for name in POLICIES},
        "over_optimum": {name: each.mean for name, each in over.items() if each is not None},
    }
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def draw() -> None:
    """Draws the maps side by side, and a chart of the costs."""
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    with matplotlib.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, 4, figsize=(11, 2.6), width_ratios=(1, 1, 1, 1.1), layout="constrained"
        )
        for place, (name, title) in zip(axes, POLICIES.items(), strict=False):
            _map(place, kept["choices"][name], kept["choices"]["optimum"], kept["labels"])
            place.set_title(title, color=GREY, fontsize=11)
        axes[0].set_ylabel("jobs at the slow server, B")
        axes[1].set_xlabel("jobs at the fast server, A")
        _costs(axes[3], kept["over_optimum"])
        drawing.FOLDER.mkdir(exist_ok=True)
        figure.savefig(drawing.FOLDER / "decision-map.svg", transparent=True, metadata={"Date": None})
        plt.close(figure)


def _map(axes, choices: list[list[str]], optimum: list[list[str]], labels: list[str]) -> None:
    """Draws where the next job goes in each state, with a dot where that isn't the optimum's choice."""
    choice_AB = np.array([[labels.index(choice) for choice in row] for row in choices])
    wrong_AB = choice_AB != np.array([[labels.index(choice) for choice in row] for row in optimum])
    axes.pcolormesh(
        choice_AB.T, cmap=ListedColormap(COLOURS[:2]), vmin=0, vmax=1, edgecolors=GREY, linewidth=0.4
    )
    for a, b in np.argwhere(wrong_AB):
        axes.plot(
            a + 0.5, b + 0.5, "o", color="white", markersize=5, markeredgecolor="black", markeredgewidth=0.6
        )
    across, up = choice_AB.shape
    axes.set_xticks(np.arange(0, across, 2) + 0.5, range(0, across, 2))
    axes.set_yticks(np.arange(0, up, 2) + 0.5, range(0, up, 2))
    axes.set_aspect("equal")
    for label, (a, b) in zip(labels, ((0.5, up - 0.5), (across - 0.5, 0.5)), strict=True):
        axes.text(a, b, label, color="white", ha="center", va="center", weight="bold")


def _costs(axes, over: dict[str, float]) -> None:
    names = list(COSTS)
    axes.barh(range(len(names)), [over[name] for name in names], color=(GREY, GREY, COLOURS[2]), height=0.55)
    for row, name in enumerate(names):
        axes.text(over[name] + 0.003, row, f"{over[name]:.1%}", va="center", color=GREY)
    axes.set_yticks(range(len(names)), [COSTS[name] for name in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * max(over.values()))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_title("cost over the optimum", color=GREY, fontsize=11)
    axes.tick_params(length=0)


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
