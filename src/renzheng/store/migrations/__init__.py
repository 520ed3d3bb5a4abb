"""The schema's history, by Alembic. `HEAD` is its newest revision, known here so that a start need not load Alembic."""

HEAD = "0022"
