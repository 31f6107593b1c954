"""References for supply chains: Clark and Scarf's recursion, and the Beer Game on its board."""
