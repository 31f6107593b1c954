"""Shows that an adapted model, under the original's rule, is still the original."""
