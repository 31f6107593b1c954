"""Plug-ins that come with the library; every module in here is imported once."""
