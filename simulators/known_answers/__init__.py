"""Known answers with their sources, as data files; `README.md` says how they are laid out."""
