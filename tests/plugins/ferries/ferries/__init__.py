"""A ferry that goes or waits for more cars, and all that is needed to learn to run it."""
