"""Parquet files of questions: one row for each question of any kind.

TRL trains on such a file as it is: `trl sft` reads `prompt` and `completion`, `trl grpo` hands `choices`,
`values` and `scale` to `simdistill.rewards`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simdistill import registry
from simdistill.data.question import Question
from simdistill.errors import InputError
from simdistill.files import replacing

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = {
    "kind": "string",
    "task": "string",
    "simulator": "string",
    "split": "string",
    "round": "int32",
    "group": "int64",
    "prompt": [{"role": "string", "content": "string"}],
    "completion": [{"role": "string", "content": "string"}],
    "choices": ["string"],
    "answer": "string",
    "values": ["float64"],
    "standard_errors": ["float64"],
    "raw_values": ["float64"],
    "raw_standard_errors": ["float64"],
    "scale": "float64",
    "probabilities": ["float64"],
    "params": "string",
    "state": "string",
    "seed_path": ["int64"],
    "actions": ["string"],
    "time": "float64",
    "teacher_probabilities": ["float64"],
}
"""Type of each column that all files have; [type] is a list. A kind may add columns of its own."""
COSTS = ("values", "standard_errors", "raw_values", "raw_standard_errors")
"""Columns that have empty lists, not null, for kinds without costs."""


def save(questions: Sequence[Question], path: Path, scales: Mapping[str, float] | None = None) -> None:
    """Writes questions to a file atomically.

    Args:
        questions: Questions of any kinds.
        path: The file.
        scales: Name of a task -> the task's scale, in cost units; the column `scale` is null for questions of
            other tasks.
    """
    from datasets import Dataset, Features, disable_progress_bars

    disable_progress_bars()
    rows = [{**question.row(), **_for_trl(question, scales or {})} for question in questions]
    names = list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)]))
    columns = {name: [row.get(name, [] if name in COSTS else None) for row in rows] for name in names}
    more = Dataset.from_dict({name: columns[name] for name in names if name not in COLUMNS})
    with replacing(path) as temporary:
        typed = Features({**features(), **more.features})
        Dataset.from_dict(columns, features=typed).to_parquet(str(temporary))


def load(path: Path) -> list[Question]:
    """Reads what `save` wrote.

    Raises:
        InputError: If the file is missing, isn't a file of questions, or has a kind of question or a
            simulator that isn't installed.
    """
    import pyarrow.parquet
    from pyarrow import ArrowException

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
        kinds = {kind: registry.load("questions", kind) for kind in {row["kind"] for row in rows}}
        return [kinds[row["kind"]].from_row(row) for row in rows]
    except (OSError, ArrowException, TypeError, KeyError, InputError) as error:
        raise InputError(f"{path} can't be read as questions: {error}") from None


def _for_trl(question: Question, scales: Mapping[str, float]) -> dict:
    """Returns the columns that are there for TRL: the answer as a message, and the scale of rewards."""
    answer = [{"role": "assistant", "content": question.answer}]
    return {"completion": answer, "scale": scales.get(question.task)}


def features() -> "Features":
    """Returns the columns and their types as `Features` of the package `datasets`."""
    from datasets import Features, List, Value

    def typed(column: Any):
        if isinstance(column, list):
            return List(typed(column[0]))
        if isinstance(column, dict):
            return {name: typed(kind) for name, kind in column.items()}
        return Value(column)

    return Features({name: typed(column) for name, column in COLUMNS.items()})
