"""``python -m groundbreak`` is the ``groundbreak`` command."""

from groundbreak.cli.main import run

run()
