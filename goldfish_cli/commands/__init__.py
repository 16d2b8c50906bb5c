"""The commands: thin files that read options, call the library and show one result."""
