"""The Gymnasium side: simulators as environments, states in words."""
