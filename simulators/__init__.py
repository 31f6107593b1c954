"""The processes that come with simdistill, one file each; every one is also an example to copy."""
