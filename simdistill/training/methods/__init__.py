"""Ways to distil, one file each."""
