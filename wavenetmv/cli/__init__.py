"""The `wmv` command: parse, call the library, render. The only place that prints."""
