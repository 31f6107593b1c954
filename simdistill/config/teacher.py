"""The fields that all teachers share; further fields are declared in a teacher's own module."""

from pydantic import Field

from simdistill.config.section import Count, Folder, Model, Name, Section


class TeacherConfig(Section):
    """The teacher: the states that it teaches from, and how their values are simulated and fitted."""

    name: Name = Field(default="search", description="a registered teacher, or a policy of the simulator")
    base: Name = Field(
        default="random",
        description="the policy that the first generation of a search improves on; questions to a "
        "language model are about the states that this policy visits",
    )
    model: Model | None = Field(
        default=None,
        description="the language model that teaches: a name as in student.name, or its name on a server",
    )
    adapter: Folder | None = Field(
        default=None, description="folder of an adapter of that model, such as a run's adapter/"
    )
    scenarios: Count = Field(
        default=300, description="number of parameter sets that are drawn for each search of states"
    )
    episodes_per_scenario: Count = Field(
        default=4, description="number of teaching episodes per parameter set, each with its own start"
    )
    states_per_episode: Count = Field(default=2, description="number of searched decisions per episode")
    decisions_before: int = Field(
        default=0,
        ge=0,
        description="largest number of decisions before the first searched one; drawn for each episode",
    )
    decisions_between: int = Field(default=1, ge=0, description="number of decisions between searched ones")
    futures: int = Field(
        default=16, ge=1, description="number of simulated futures for every choice in a searched state"
    )
    forecast_futures: int = Field(default=32, ge=2, description="number of simulated futures for a forecast")
    horizon: float = Field(
        default=60.0,
        gt=0,
        description="initial simulated time of a future; it is doubled until cost differences stop changing",
    )
    random_actions: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="share of random decisions, which make the visited states more varied",
    )
    folds: int = Field(
        default=5, ge=2, description="cross-fitting folds of the regression of values on states"
    )
    combine_with_fit: bool = Field(
        default=True,
        description="whether a state's simulated values are combined with the regression's values, weighted "
        "by their variances",
    )
    shrink_variances: bool = Field(
        default=True,
        description="whether the variance of a state's few futures is shrunk towards the variance predicted "
        "for such states (empirical Bayes)",
    )

    @property
    def states(self) -> int:
        """Number of states that are searched in a generation; each becomes a question."""
        return self.scenarios * self.episodes_per_scenario * self.states_per_episode
