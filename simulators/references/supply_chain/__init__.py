"""References for supply chains: Clark and Scarf's recursion, and the Beer Game played on its board."""
