"""The report: one self-contained HTML file that loads nothing from any host, made from `results` alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from renzheng.evaluation import charts
from renzheng.evaluation.calibration import ANCHORS, CalibrationTable
from renzheng.evaluation.rates import Rate, bound_without_errors
from renzheng.evaluation.results import AttackType, Point, Presentations, Recognition, Results, Run, Suite, Timing
from renzheng.evaluation.tables import chosen_threshold, counted, layers, looks, suite_facts
from renzheng.evaluation.texts import Language, Words, digits
from renzheng.evaluation.thresholds import HEADS

HEADLINE = 70.0  # the server's default threshold


def render(results: Results, language: Language = "en") -> str:
    """Return the whole page as text, in one language."""
    words = Words(language)
    if isinstance(results, Recognition):
        return _page(words, results.data.name, words("eyebrow"), _recognition(results, words))
    return _page(words, results.name, words("eyebrow_pad"), _presentations(results, words))


def _page(words: Words, title: str, eyebrow: str, body: list[str]) -> str:
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    language = "zh-CN" if words.language == "zh" else "en"
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        [
            f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>{escape(title)} · renzheng</title>\n<style>\n{style}</style>\n</head>\n<body>",
            f'<header><div><p class="eyebrow">{escape(eyebrow)}</p><h1>{escape(title)}</h1></div>',
            '<div class="stamp" lang="zh" aria-label="renzheng">人证</div>',
            *body,
            f"<footer>{escape(words('footer'))}</footer>\n</body>\n</html>\n",
        ]
    )


def _section(title: str, *parts: str, note: str = "") -> str:
    about = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{about}{''.join(parts)}</section>"


def _table(header: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], kind: str = "") -> str:
    """`rows` are (class of the row, cells that are HTML already)."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr{_class(name)}>{''.join(map(_cell, cells))}</tr>" for name, cells in rows)
    top = f"<thead><tr>{head}</tr></thead>" if header else ""
    return f'<div class="scroll"><table class="{kind}">{top}<tbody>{body}</tbody></table></div>'


def _wide(chart: str) -> str:
    """A chart that a narrow screen scrolls rather than shrinks."""
    return f'<div class="wide">{chart}</div>'


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _cell(content: str) -> str:
    """A cell may bring its own tag along, with a class."""
    return content if content.startswith("<td") else f"<td>{content}</td>"


def _card(title: str, value: str, *lines: str, warn: bool = False) -> str:
    small = "".join(f"<small>{escape(line)}</small>" for line in lines if line)
    kind = "card warn" if warn else "card"
    return (
        f'<div class="{kind}"><dt>{escape(title)}</dt><dd><span class="value">{escape(value)}</span>{small}</dd></div>'
    )


def _rate_card(title: str, rate: Rate, words: Words, *, of: str = "of", warn: bool = False) -> str:
    if rate.value is None:
        return _card(title, "–", words("none_tried"))
    counted = words(of, errors=f"{rate.errors:,}", trials=f"{rate.trials:,}")
    return _card(title, words.percent(rate.value), counted, words("interval", range=words.range(rate)), warn=warn)


def _cards(cards: Sequence[str]) -> str:
    return f'<dl class="cards">{"".join(cards)}</dl>'


def _lede(text: str) -> str:
    return f'<p class="lede">{text}</p></header>'


def _bold(number: int) -> str:
    return f"<b>{number:,}</b>"


# -- face comparison ---------------------------------------------------------------------------------------------


def _recognition(results: Recognition, words: Words) -> list[str]:
    point = next(point for point in results.points if point.score == HEADLINE)
    lede = words(
        "lede",
        fm=_bold(point.fmr.errors),
        impostors=_bold(point.fmr.trials),
        fnm=_bold(point.fnmr.errors),
        genuines=_bold(point.fnmr.trials),
    )
    figure = _section(words("fig_scores"), _wide(charts.score_spread(results, words)), note=words("fig_scores_note"))
    chart = charts.error_rates(results, words)
    note = words("fig_rates_note") + (words("fig_rates_promise") if 'class="line promise"' in chart else "")
    rates = _section(words("fig_rates"), _wide(chart), note=note)
    parts = [_lede(lede), _headline(results, point, words), _says(results, words), figure, rates]
    if results.equal_error is not None:
        area = f"{results.area:.6f}".rstrip("0").rstrip(".") if results.area is not None else "–"
        parts.append(
            '<div class="pair">'
            + _section(words("fig_det"), charts.trade_off(results, words), note=words("fig_det_note"))
            + _section(words("fig_roc"), charts.characteristic(results, words), note=words("fig_roc_note", area=area))
            + "</div>"
        )
    parts.append(_score_table(results, words))
    if results.calibration is not None:
        parts.append(_calibration(results.calibration, words))
    parts += [_images(results, point, words), _definitions(results, words), _run_details(results.run, words)]
    return parts


def _headline(results: Recognition, point: Point, words: Words) -> str:
    cards = [_rate_card(words("card_fmr"), point.fmr, words), _rate_card(words("card_fnmr"), point.fnmr, words)]
    if (found := results.equal_error) is not None:
        interval = "" if found.low is None or found.high is None else words.between(found.low, found.high)
        if found.value == 0 and found.high is not None:
            interval = words("at_most", high=words.percent(found.high))
        lines = [words("at_score", score=f"{found.score:.1f}"), words("interval", range=interval) if interval else ""]
        cards.append(_card(words("card_eer"), words.percent(found.value), *lines))
    if (best := results.best) is not None:
        range_ = words("interval", range=words.range(best.accuracy))
        cards.append(_card(words("card_best"), words.percent(best.accuracy.value or 0), range_, words("optimistic")))
    cards.append(_rate_card(words("card_fta"), results.acquire, words, of="of_images"))
    return _cards(cards)


def _says(results: Recognition, words: Words) -> str:
    data = results.data
    sentences = []
    if data.impostor:
        bound = words.percent(bound_without_errors(data.impostor))
        sentences.append(words("resolution", impostors=f"{data.impostor:,}", bound=bound))
    size = {"images": f"{data.images:,}", "people": f"{data.people:,}"}
    sentences.append(words("dependent" if data.mode == "all-pairs" else "listed", **size))
    tested = [point for point in results.points if point.promised is not None and point.agreement != "too_small"]
    worse = sum(point.agreement == "worse" for point in tested)
    if not tested:
        sentences.append(words("scale_small"))
    else:
        sentences.append(words("scale_bad" if worse else "scale_ok", tested=len(tested), worse=worse))
    if data.several_faces:
        rule = words(f"rule_{data.face_rule}")
        sentences.append(words("several", count=f"{data.several_faces:,}", rule=rule))
    if lost := data.genuine_lost + data.impostor_lost:
        sentences.append(words("lost", count=f"{lost:,}"))
    if data.contradictions:
        sentences.append(words("contradictions", count=f"{data.contradictions:,}"))
    sentences.append(words("not_here"))
    return _section(words("says"), _list(sentences))


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"


def _cells(rate: Rate, words: Words) -> list[str]:
    """Return rate, errors and interval."""
    if rate.value is None:
        return ["–", "–", "–"]
    quiet, range_ = f'<td class="quiet">{rate.errors:,}</td>', f'<td class="range">{escape(words.range(rate))}</td>'
    return [escape(words.percent(rate.value)), quiet, range_]


def _score_table(results: Recognition, words: Words) -> str:
    header = [words("score"), words("cosine")]
    for name, trials in (("fmr", results.data.impostor), ("fnmr", results.data.genuine)):
        header += [words(name), words("errors_of", trials=f"{trials:,}"), words("range")]
    header += [words("promised"), words("agreement")]
    rows = []
    for point in results.points:
        cells = [f"{point.score:g}", f'<td class="quiet">{point.cosine:.3f}</td>']
        cells += _cells(point.fmr, words) + _cells(point.fnmr, words)
        if point.promised is None:
            cells += [f'<td class="quiet" colspan="2">{escape(words("no_promise"))}</td>']
        else:
            badge = f'<span class="badge {point.agreement}">{escape(words(point.agreement))}</span>'
            cells += [f'<td class="quiet">{escape(words.one_in(point.promised))}</td>', badge]
        rows.append(("anchor" if point.score in ANCHORS else "", cells))
    return _section(words("table"), _table(header, rows), note=words("scale_source", data=results.scale))


def _calibration(table: CalibrationTable, words: Words) -> str:
    written = {point.score: point for point in table.points}
    refused = {refusal.score: refusal for refusal in table.refused}
    rows = []
    for score in sorted([*written, *refused]):
        anchor = "anchor" if score in ANCHORS else ""
        if score in written:
            point = written[score]
            ending = [f'<td class="quiet">{point.errors:,}</td>', f"{point.cosine:.4f}", ""]
            fmr = point.fmr
        else:
            refusal = refused[score]
            needs = escape(words("refused_note", needed=f"{refusal.needed:,}"))
            ending = [f'<td class="quiet">{digits(refusal.expected)}</td>', "–", f'<td class="range">{needs}</td>']
            fmr = refusal.fmr
        rows.append((anchor, [f"{score:g}", escape(words.one_in(fmr)), *ending]))
    header = [*(words(key) for key in ("score", "fmr", "expected", "cosine")), ""]
    verdict = "" if table.usable else f"<p><b>{escape(words('calibration_none'))}</b></p>"
    return _section(words("calibration"), verdict, _table(header, rows), note=words("calibration_note"))


def _images(results: Recognition, point: Point, words: Words) -> str:
    data = results.data
    rows = [
        (words("images"), f"{data.images:,}"),
        (words("people"), f"{data.people:,}"),
        (words("fta"), _counted(results.acquire, words)),
        *(
            (words("reason", reason=words.maybe("reason", name)), f"{count:,}")
            for name, count in results.failures.items()
        ),
        (words("fte"), _counted(results.enrol, words)),
    ]
    if point.far is not None and point.frr is not None:
        rows += [(words("far"), words.percent(point.far)), (words("frr"), words.percent(point.frr))]
    facts = _table([], [("", [escape(name), escape(value)]) for name, value in rows], "facts")
    return _section(words("acquisition"), facts, _timings(results.timings, words("timings"), words))


def _counted(rate: Rate, words: Words) -> str:
    if rate.value is None:
        return "–"
    return f"{words.percent(rate.value)}  ({rate.errors:,} / {rate.trials:,}; {words.range(rate)})"


def _timings(timings: dict[str, Timing], title: str, words: Words) -> str:
    if not timings:
        return ""
    rows = [("", [escape(words.maybe("stage", name)), digits(t.median), digits(t.p95)]) for name, t in timings.items()]
    header = [words("stage"), words("median"), words("p95")]
    heading = f"<h3>{escape(title)}</h3>" if title else ""
    return heading + _table(header, rows)


def _definitions(results: Recognition, words: Words) -> str:
    keys = ("def_fmr", "def_fnmr", "def_eer", "def_fta")
    interval = words("def_interval", replicates=f"{results.run.replicates:,}")
    return _section(words("definitions"), _list([*(words(key) for key in keys), interval]))


def _run_details(run: Run, words: Words) -> str:
    made = datetime.fromtimestamp(run.made_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    rows = [
        (words("command"), f"<code>{escape(run.command)}</code>"),
        (words("version"), escape(run.version)),
        (words("packs"), " ".join(f"<code>{escape(pack)}</code>" for pack in run.packs)),
        (words("when"), made),
        (words("took"), words("seconds", seconds=f"{run.seconds:,.0f}")),
    ]
    if run.replicates:
        rows.append((words("seed"), str(run.seed)))
    return _section(words("made"), _table([], [("", row) for row in rows], "facts"))


# -- presentation attacks ----------------------------------------------------------------------------------------


def _presentations(results: Presentations, words: Words) -> list[str]:
    if results.suite is not None:
        return _suite(results, results.suite, words)
    classified = [attack for attack in results.attacks if attack.apcer.value is not None]
    lede = words(
        "lede_pad",
        passed=_bold(sum(attack.apcer.errors for attack in classified)),
        attacks=_bold(sum(attack.apcer.trials for attack in classified)),
        types=_bold(len(results.attacks)),
        refused=_bold(results.bpcer.errors),
        genuine=_bold(results.bpcer.trials),
    )
    cards = []
    if classified:
        worst = max(classified, key=lambda attack: (attack.apcer.value or 0, attack.apcer.high or 0))
        title = f"{words('card_apcer')}: {words.maybe('attack', worst.name)}"
        cards.append(_rate_card(title, worst.apcer, words, warn=bool(worst.apcer.errors)))
    cards.append(_rate_card(words("card_bpcer"), results.bpcer, words))
    cards.append(
        _card(
            words("card_types"), f"{len(results.attacks)}", ", ".join(words.maybe("attack", a.name) for a in classified)
        )
    )
    interval = words("def_interval_pad", replicates=f"{results.run.replicates:,}")
    return [
        _lede(lede),
        _cards(cards),
        _attack_figure(results, words),
        _attack_table(results, words),
        _section(words("says"), _list([words("pad_limits"), words("pad_not_here")])),
        _section(words("timings_pad"), _timings(results.timings, "", words)) if results.timings else "",
        _section(words("definitions"), _list([words("def_pad"), interval])),
        _run_details(results.run, words),
    ]


def _attack_figure(results: Presentations, words: Words) -> str:
    """Return the figure; empty if nothing has a rate."""
    figure = charts.attack_rates(results, words)
    return _section(words("fig_attacks"), _wide(figure), note=words("fig_attacks_note")) if figure else ""


def _suite(results: Presentations, suite: Suite, words: Words) -> list[str]:
    """The report of an attack suite. The heads that comply stand apart: they are meant to pass."""
    natures = {row.name: row.suite.nature for row in results.attacks if row.suite is not None}
    against = [row for row in results.attacks if natures.get(row.name) != "uncaught"]
    heads = [row for row in results.attacks if row.name == HEADS]
    passed, attacks = (_bold(number) for number in _errors_of(against))
    through, tried = (_bold(number) for number in _errors_of(heads))
    lede = [words("suite_lede", passed=passed, attacks=attacks, types=_bold(len(against)))] if against else []
    lede += [words("suite_heads", heads=tried, through=through)] if heads else []
    return [
        _lede((" " if words.language == "en" else "").join(lede)),
        _section(words("suite_table"), _suite_table(results, words), note=words("suite_note")),
        _section(words("measure"), _threshold_table(suite, words)) if suite.thresholds else "",
        _looks_section(results, words),
        _attack_figure(results, words),
        _section(words("says"), _list([*suite_facts(suite, words), words("pad_limits"), words("pad_not_here")])),
        _section(words("timings_pad"), _timings(results.timings, "", words)) if results.timings else "",
        _section(words("definitions"), _list([words("def_pad")])),
        _run_details(results.run, words),
    ]


def _errors_of(rows: Sequence[AttackType]) -> tuple[int, int]:
    """Return how many presentations passed, of how many."""
    return sum(row.apcer.errors for row in rows), sum(row.apcer.trials for row in rows)


def _suite_table(results: Presentations, words: Words) -> str:
    keys = ("attack", "target", "passed", "range", "stopped", "without", "chosen_half")
    rows = []
    for row in results.attacks:
        part = row.suite
        assert part is not None
        target = words.maybe("layer", part.target) if part.target else words(f"nature_{part.nature}")
        stopped = f'<td class="quiet wraps">{escape(layers(row.stopped_by, words))}</td>'
        range_ = f'<td class="range">{escape(words.range(row.apcer))}</td>'
        cells = [escape(words.maybe("attack", row.name)), escape(target), counted(row.apcer), range_, stopped]
        rows.append(
            ("anchor" if part.nature == "uncaught" else "", [*cells, counted(part.without), counted(part.chosen)])
        )
    return _table([words(key) for key in keys], rows, "suite")


def _threshold_table(suite: Suite, words: Words) -> str:
    rows = []
    for found in suite.thresholds:
        figures = ["–" if value is None else digits(value) for value in (found.attacks, found.heads, found.shipped)]
        rows.append(
            ("", [escape(words.maybe("measure", found.name)), *figures, escape(chosen_threshold(found, words))])
        )
    return _table([words(key) for key in ("measure", "attacks_most", "heads_least", "shipped", "choice")], rows)


def _looks_section(results: Presentations, words: Words) -> str:
    if (shown := looks(results, words)) is None:
        return ""
    rows = [("", [escape(cell) for cell in row]) for row in shown[1]]
    return _section(words("looks_table"), _table(shown[0], rows), note=words("looks_note"))


def _attack_table(results: Presentations, words: Words) -> str:
    header = [
        words(key) for key in ("attack", "presentations", "people", "passed", "apcer", "range", "silent", "stopped")
    ]
    rows = [
        (
            "",
            _attack_cells(
                words.maybe("attack", a.name), a.presentations, a.people, a.apcer, a.no_response, a.stopped_by, words
            ),
        )
        for a in results.attacks
    ]
    genuine = (words("genuine_row"), results.genuine, results.genuine_people, results.bpcer, results.no_response)
    rows.append(("anchor", _attack_cells(*genuine, results.refused_by, words)))
    return _section(words("attack_table"), _table(header, rows))


def _attack_cells(
    name: str, count: int, people: int, found: Rate, silent: Rate, layers: dict[str, int], words: Words
) -> list[str]:
    stopped = ", ".join(f"{words.maybe('layer', layer)} {number:,}" for layer, number in layers.items()) or "–"
    value = "–" if found.value is None else words.percent(found.value)
    return [
        escape(name),
        f"{count:,}",
        f"{people:,}",
        f"{found.errors:,} / {found.trials:,}",
        escape(value),
        f'<td class="range">{escape(words.range(found))}</td>',
        f"{silent.errors:,}",
        f'<td class="quiet wraps">{escape(stopped)}</td>',
    ]
