"""The commands, one module a noun. Each is a thin layer over the room that does the work."""

from __future__ import annotations

import typer

from renzheng.cli.account import app as account
from renzheng.cli.evaluate import evaluate
from renzheng.cli.explain import explain
from renzheng.cli.identity import app as identity
from renzheng.cli.key import app as key
from renzheng.cli.models import app as models
from renzheng.cli.serve import serve
from renzheng.cli.session import app as session
from renzheng.cli.session import rejudge

app = typer.Typer(
    name="renzheng",
    help="Self-hosted face identity verification that speaks Tencent Cloud FaceID's API.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
app.command()(serve)
app.add_typer(account, name="account", help="Accounts: who calls the signed API.")
app.add_typer(key, name="key", help="Keys: the SecretId and SecretKey that sign for an account.")
app.add_typer(identity, name="identity", help="The library of enrolled people, for CompareLib BUSINESS.")
app.add_typer(session, name="session", help="One verification: what was measured, and why it ended as it did.")
app.add_typer(models, name="models", help="The models: install, list, verify.")
app.command()(rejudge)
app.command()(evaluate)
app.command()(explain)

try:
    from renzheng.cli.demo import demo
    from renzheng.cli.verify import verify
except ModuleNotFoundError as missing:
    # The puppet passes liveness, so a production install leaves the extra `lab` out.
    if missing.name != "tencentcloud":
        raise
else:
    app.command()(verify)
    app.command()(demo)
