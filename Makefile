PYTHON ?= python

.PHONY: check test format vectors

check:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -q

test:
	$(PYTHON) -m pytest -q

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

# Says which golden vectors would change; add --write to change them, on purpose.
vectors:
	$(PYTHON) tests/vectors/regenerate.py
