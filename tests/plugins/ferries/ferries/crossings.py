"""A figure: what the fuel of a crossing costs, in one sentence."""

from markupsafe import Markup

from simdistill.report.figures import Figure, Shown


class Crossings(Figure):
    """What a crossing costs."""

    order = 70

    def __call__(self, record):
        """Returns a sentence with the fuel of the run's default parameters."""
        fuel = record.config["task"]["parameters"]["default"]["fuel"]
        return Shown("Crossings", Markup("<p>A crossing burns {}.</p>").format(fuel), "As in the task.")
