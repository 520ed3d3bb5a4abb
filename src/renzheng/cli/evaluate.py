"""``renzheng evaluate``: error rates of face comparison, or of attack detection, on one's own data."""

from __future__ import annotations

import shlex
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from renzheng.cli.local import printable, unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from renzheng.evaluation.rates import Rate
    from renzheng.evaluation.recognition import Options
    from renzheng.evaluation.results import Presentations, Recognition, Results
    from renzheng.evaluation.texts import Words

STAGES = {
    "acquire": ("Finding and embedding faces", "检测人脸并提取特征"),
    "compare": ("Comparing", "比对"),
    "examine": ("Examining photos darker, brighter and turned", "以更暗、更亮和旋转的方式检查照片"),
    "intervals": ("Drawing people for the intervals", "按人重采样以求区间"),
    "judge": ("Judging presentations", "判定呈现"),
}
REFUSALS = 20


def evaluate(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="PAIRS_OR_FOLDER",
            help="A CSV list of labelled pairs, a folder that holds one, a folder of people (one sub-folder each, or "
            "files named Name_0001.jpg), a folder of clips with a clips.csv, a folder of recorded presentations, or a "
            "results.json to write its report again.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run, by default evaluate-NAME here. An interrupted run continues from it."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Clips only: a CSV of file, actions, reason that corrects the labels of clips.csv."),
    ] = None,
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Compare every image with every other.")] = False,
    language: Annotated[Literal["zh", "en"], typer.Option(help="Language of the report.")] = "en",
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Write calibration points, as far as there are 30 expected errors.")
    ] = False,
    face: Annotated[
        Literal["central", "largest", "only"],
        typer.Option(
            help="Which face of a photo to use. With only, a photo with several faces is a failure to acquire."
        ),
    ] = "central",
    most: Annotated[
        int | None, typer.Option("--most", min=2, help="Maximum images of one person (with --all-pairs).")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes that find and embed faces.")] = 2,
    refusals: Annotated[
        int,
        typer.Option(
            min=0,
            help="Photos of each third by brightness that are examined as reference photos darker and brighter, and as "
            "many turned and tilted; 0: none.",
        ),
    ] = REFUSALS,
    replicates: Annotated[
        int, typer.Option(min=100, help="How many times people are resampled for the intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the resampling.")] = 0,
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete the kept embeddings at the end: they are biometric data.")
    ] = False,
) -> None:
    """Measure error rates with intervals, and write results.json, CSV files and report.html."""
    from renzheng.engine.packs import PackError
    from renzheng.evaluation import labels as lists
    from renzheng.evaluation import sequences
    from renzheng.evaluation.pairs import DataError
    from renzheng.evaluation.recognition import Options

    console = Console(stderr=True)
    options = Options(face, processes, replicates, seed, calibrate)
    out = out or Path(f"evaluate-{target.resolve().stem}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".json":
            results, refused = _again(target), False
        elif lists.holds_clips(target):
            results, refused = _people(target, labels, out, console, language), False
        elif labels is not None:
            raise DataError("--labels goes with a folder of clips, one that holds a clips.csv")
        elif sequences.holds_sequences(target):
            results, refused = _presentations(target, out, console, language), False
        else:
            results, refused = _recognition(target, out, all_pairs, most, options, forget, refusals, console, language)
        _write(results, out, language)
    except (DataError, PackError, OSError, ValueError) as error:
        said = printable(unusable(error) if isinstance(error, OSError) else str(error))
        if isinstance(error, UnicodeDecodeError):
            said = f"{target} holds a list that is not text in UTF-8"
        console.print(f"[red]error:[/red] {escape(said)}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    _print(results, out, language)
    if refused:
        raise typer.Exit(3)


def _command(target: Path, out: Path, *options: str) -> str:
    """Return the command for repeating the run, without the folders' parents, as a report may be handed on."""
    parts = target.resolve().parts
    name = "/".join(parts[-2:]) if target.is_file() else parts[-1]
    return shlex.join(["renzheng", "evaluate", name, "--out", out.resolve().name, *options])


@contextmanager
def _progress(console: Console, language: str) -> Iterator[Callable[[str, int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(STAGES[stage][language == "zh"], total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield show


def _again(path: Path) -> Results:
    from renzheng.evaluation.results import read_json

    return read_json(path)


def _recognition(
    target: Path,
    out: Path,
    all_pairs: bool,
    most: int | None,
    options: Options,
    forget: bool,
    refusals: int,
    console: Console,
    language: str,
) -> tuple[Results, bool]:
    """Return the results, and whether every requested calibration was refused."""
    import msgspec

    from renzheng.engine import packs
    from renzheng.evaluation import outputs
    from renzheng.evaluation.acquisition import EmbeddingCache
    from renzheng.evaluation.calibration import ANCHORS, as_toml
    from renzheng.evaluation.pairs import find_list, read_pairs, read_people
    from renzheng.evaluation.recognition import evaluate_pairs
    from renzheng.evaluation.refusals import measure_refusals

    listed = None if all_pairs else find_list(target)
    pairs = read_pairs(listed) if listed else read_people(target, most=most)
    flags = [flag for flag, given in (("--all-pairs", listed is None), ("--calibrate", options.calibrate)) if given]
    flags += [f"--refusals={refusals}"] * (refusals != REFUSALS)
    flags += [f"--face={options.rule}"] * (options.rule != "central") + [f"--most={most}"] * (most is not None)
    with _progress(console, language) as show:
        found = evaluate_pairs(
            pairs,
            out,
            command=_command(target, out, *flags),
            version=version("renzheng"),
            clock=time.time,
            options=options,
            progress=show,
        )
        examined = measure_refusals(pairs.images, refusals, progress=show) if refusals else []
    results, scale = msgspec.structs.replace(found.results, refusals=examined), packs.pack_for("embedding").calibration
    if listed and scale is not None:
        outputs.write_comparisons(pairs, found.matched, scale, listed.parent, out / "comparisons.csv")
    if forget:
        EmbeddingCache(out, options.rule).forget()
    table = results.calibration
    if table is None:
        return results, False
    for refusal in (refusal for refusal in table.refused if refusal.score in ANCHORS):
        console.print(f"[yellow]calibration:[/yellow] {refusal}", highlight=False, soft_wrap=True)
    if not table.usable:
        console.print("[yellow]calibration:[/yellow] no table is written: the data does not bear score 60")
        return results, True
    data = results.data
    centre = scale.centre if scale is not None else ()
    text = as_toml(
        table, data=data.name, images=data.images, genuine=data.genuine, impostor=data.impostor, centre=centre
    )
    (out / "calibration.toml").write_text(text, encoding="utf-8")
    return results, False


def _presentations(target: Path, out: Path, console: Console, language: str) -> Results:
    from renzheng.evaluation.presentations import evaluate_presentations
    from renzheng.evaluation.sequences import read_sequences

    with _progress(console, language) as show:
        return evaluate_presentations(
            target.resolve().name,
            read_sequences(target),
            out,
            command=_command(target, out),
            version=version("renzheng"),
            clock=time.time,
            progress=show,
        )


def _people(target: Path, labels: Path | None, out: Path, console: Console, language: str) -> Results:
    from renzheng.evaluation.labels import read_clips
    from renzheng.evaluation.recorded_people import evaluate_people

    clips = read_clips(target, labels)
    options = ["--labels", labels.name] if labels else []
    with _progress(console, language) as show:
        return evaluate_people(
            target.resolve().name,
            clips,
            command=_command(target, out, *options),
            version=version("renzheng"),
            clock=time.time,
            progress=show,
        )


def _write(results: Results, out: Path, language: Literal["zh", "en"]) -> None:
    from renzheng.evaluation import outputs
    from renzheng.evaluation.report import render
    from renzheng.evaluation.results import Recognition, write_json

    write_json(results, out / "results.json")
    if isinstance(results, Recognition):
        outputs.write_points(results, out / "rates.csv")
        outputs.write_curve(results.curve, out / "curve.csv")
    else:
        outputs.write_attacks(results, out / "attacks.csv")
        if results.filmed is not None:
            outputs.write_presentations(results.filmed, out / "presentations.csv")
    (out / "report.html").write_text(render(results, language), encoding="utf-8")


def _print(results: Results, out: Path, language: Literal["zh", "en"]) -> None:
    from renzheng.evaluation.results import Recognition
    from renzheng.evaluation.texts import Words

    words, console = Words(language), Console()
    if isinstance(results, Recognition):
        _print_recognition(results, words, console)
    else:
        _print_presentations(results, words, console)
    console.print(f"{out / 'report.html'}", highlight=False, soft_wrap=True)


def _rate_cells(rate: Rate, words: Words) -> tuple[str, str, str]:
    if rate.value is None:
        return "–", "–", "–"
    return words.percent(rate.value), f"{rate.errors:,}", words.range(rate)


def _rate_with_counts(rate: Rate, words: Words) -> tuple[str, str]:
    value, errors, range_ = _rate_cells(rate, words)
    return f"{value} ({errors} / {rate.trials:,})", range_


def _print_recognition(results: Recognition, words: Words, console: Console) -> None:
    from renzheng.evaluation.calibration import ANCHORS

    data = results.data
    console.print(
        f"[bold]{data.name}[/bold]  {words('images')} {data.images:,} · {words('people')} {data.people:,} · "
        f"{words('genuine')} {data.genuine:,} · {words('impostor')} {data.impostor:,}",
        highlight=False,
    )
    table = Table(header_style="bold", box=None, pad_edge=False)
    header = [words("score")]
    for name, trials in (("fmr", data.impostor), ("fnmr", data.genuine)):
        header += [words(name), words("errors_of", trials=f"{trials:,}"), words("range")]
    for name in header:
        table.add_column(name, justify="right", no_wrap=True)
    for point in results.points:
        style = "bold" if point.score in ANCHORS else ""
        table.add_row(f"{point.score:g}", *_rate_cells(point.fmr, words), *_rate_cells(point.fnmr, words), style=style)
    console.print(table)
    if (equal := results.equal_error) is not None:
        range_ = ""
        if equal.low is not None and equal.high is not None:
            range_ = f" ({words('interval', range=words.between(equal.low, equal.high))})"
        console.print(f"{words('card_eer')}: {words.percent(equal.value)}{range_}", highlight=False)
    if (best := results.best) is not None:
        value, _, range_ = _rate_cells(best.accuracy, words)
        where = words("at_score", score=f"{best.score:.1f}")
        line = f"{words('card_best')}: {value} ({words('interval', range=range_)}), {where}; {words('optimistic')}"
        console.print(line, highlight=False)
    value, errors, range_ = _rate_cells(results.acquire, words)
    count = words("of_images", errors=errors, trials=f"{data.images:,}")
    console.print(f"{words('fta')}: {value} ({count}; {words('interval', range=range_)})", highlight=False)
    _print_refusals(results, words, console)


def _print_refusals(results: Recognition, words: Words, console: Console) -> None:
    """Print refused reference photos by brightness and by orientation."""
    from renzheng.evaluation.refusal_tables import tables

    for head, rows in tables(results.refusals, words.language) if results.refusals else ():
        table = Table(header_style="bold", box=None, pad_edge=False)
        for name in head:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*row)
        console.print()
        console.print(table)


def _print_presentations(results: Presentations, words: Words, console: Console) -> None:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for key in ("attack", "presentations", "apcer", "range", "silent"):
        table.add_column(words(key), justify="left" if not table.columns else "right", no_wrap=True)
    for attack in results.attacks:
        name = words.maybe("attack", attack.name)
        silent = f"{attack.no_response.errors:,}"
        table.add_row(name, f"{attack.presentations:,}", *_rate_with_counts(attack.apcer, words), silent)
    silent = f"{results.no_response.errors:,}"
    table.add_row(
        words("genuine_row"), f"{results.genuine:,}", *_rate_with_counts(results.bpcer, words), silent, style="bold"
    )
    console.print(table)
    if results.filmed is not None:
        from renzheng.evaluation.tables import people_facts

        for fact in people_facts(results, results.filmed, words):
            console.print(f"* {fact}", highlight=False, soft_wrap=True)
