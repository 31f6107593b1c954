"""The simulators that come with simdistill, one file each; each file is also an example to copy."""
