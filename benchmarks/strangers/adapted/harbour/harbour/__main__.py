"""python -m harbour: compare the dispatching rules."""

from harbour.experiment import compare, figures
from harbour.registry import available

for name, value in figures(1).items():
    print(f"{name:20s} {value:9.2f}")
for rule, costs in compare(available("dispatch")).items():
    print(f"{rule:20s} {costs.mean():9.1f} a day (sd {costs.std(ddof=1):.1f})")
