"""Fields that were renamed. Their old names still work, without a warning in the files of saved runs."""

from collections.abc import Iterator

RENAMED = {
    "teacher.denoise": "teacher.combine_with_fit",
    "teacher.moderate": "teacher.shrink_variances",
    "distill.tune_questions": "distill.validation_questions",
    "distill.tune_steps": "distill.validation_steps",
}
"""Field's old dotted name -> its present dotted name."""


def rename(values: dict) -> Iterator[tuple[str, str]]:
    """Gives fields their present names; if a field has both names, the value of the present name counts.

    Args:
        values: A run's plain values, or those of some of its sections; changed in place.

    Yields:
        The old and the present name of each field that had the old one.
    """
    for old, new in RENAMED.items():
        section, _, name = old.partition(".")
        fields = values.get(section)
        if isinstance(fields, dict) and name in fields:
            fields.setdefault(new.partition(".")[2], fields[name])
            del fields[name]
            yield old, new
