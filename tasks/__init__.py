"""The tasks that come with simdistill, one YAML file each."""
