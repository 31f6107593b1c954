"""Scheduling networks solved exactly."""
