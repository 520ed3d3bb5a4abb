"""The schema's history, by Alembic. `HEAD` is its newest revision, known here so that a start need not load Alembic.

`BESIDE` is the oldest revision whose programs may go on working on a schema of `HEAD`: they neither miss what it took
away nor leave out what it asks for. A revision that only adds leaves it as it is; any other one raises it to itself.
"""

HEAD = "0024"
BESIDE = "0022"
NEEDS = "schema_needs"
"""In the table `meta`: `BESIDE` of the program that made the schema what it is."""
