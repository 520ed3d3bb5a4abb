"""The evaluation's numbers as Markdown for the docs, always from a `results.json`, with the command that made it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from renzheng.engine.packs import Calibration
from renzheng.evaluation import refusal_tables
from renzheng.evaluation.calibration import ANCHORS, promised_fmr
from renzheng.evaluation.presentations import DOUBT
from renzheng.evaluation.rates import EXPECTED_ERRORS, Rate, rate
from renzheng.evaluation.results import Filmed, Listed, Presentations, Recognition, Results, Run, Suite, Threshold
from renzheng.evaluation.texts import Language, Words, digits

SHOWN = (60.0, 65.0, 70.0, 75.0, 80.0)
"""Scores in the short table; the report has all."""


def markdown(results: Results, language: Language = "en") -> str:
    """Return a table with the command that made it, ending in a line break."""
    words = Words(language)
    body = _recognition(results, words) if isinstance(results, Recognition) else _presentations(results, words)
    return "\n".join([_command_line(results.run), "", *body]) + "\n"


def _command_line(run: Run) -> str:
    day = datetime.fromtimestamp(run.made_at, UTC).strftime("%Y-%m-%d")
    return f"`{run.command}` ({day}, renzheng {run.version}, {', '.join(run.packs)})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _head(*cells: str) -> list[str]:
    return [_row(*cells), "|" + "---|" * len(cells)]


def _rate(found: Rate, words: Words) -> list[str]:
    """Return the value with its count, and the interval."""
    if found.value is None:
        return ["–", "–"]
    return [f"{words.percent(found.value)} ({found.errors:,})", words.range(found)]


def _recognition(results: Recognition, words: Words) -> list[str]:
    data = results.data
    of_fmr, of_fnmr = (words("errors_of", trials=f"{trials:,}") for trials in (data.impostor, data.genuine))
    head = [words("score"), f"{words('fmr')} ({of_fmr})", words("range")]
    head += [f"{words('fnmr')} ({of_fnmr})", words("range"), words("promised"), words("agreement")]
    lines = _head(*head)
    for point in (point for point in results.points if point.score in SHOWN):
        promised = words("no_promise") if point.promised is None else words.one_in(point.promised)
        score = f"**{point.score:g}**" if point.score in ANCHORS else f"{point.score:g}"
        lines.append(_row(score, *_rate(point.fmr, words), *_rate(point.fnmr, words), promised, words(point.agreement)))
    return [*lines, "", *_facts(results, words), *_refusals(results, words)]


def refusals(results: Results, language: Language = "en") -> str:
    """Return the tables of refused reference photos only, with the command that made them, ending in a line break."""
    assert isinstance(results, Recognition)
    return "\n".join([_command_line(results.run), *_refusals(results, Words(language))]) + "\n"


def _refusals(results: Recognition, words: Words) -> list[str]:
    lines = []
    for head, rows in refusal_tables.tables(results.refusals, words.language) if results.refusals else ():
        lines += ["", *_head(*head), *(_row(*row) for row in rows)]
    return lines


def _facts(results: Recognition, words: Words) -> list[str]:
    data, facts = results.data, []
    facts.append(f"* {words('images')}: {data.images:,}; {words('people')}: {data.people:,}")
    if (equal := results.equal_error) is not None:
        range_ = "–"
        if equal.low is not None and equal.high is not None:
            range_ = words.between(equal.low, equal.high)
        facts.append(f"* {words('card_eer')}: {words.percent(equal.value)} ({words('interval', range=range_)})")
    if (best := results.best) is not None:
        value = words.percent(best.accuracy.value or 0)
        range_ = words("interval", range=words.range(best.accuracy))
        facts.append(f"* {words('card_best')}: {value} ({range_}); {words('optimistic')}")
    counted = words("of_images", errors=f"{results.acquire.errors:,}", trials=f"{results.acquire.trials:,}")
    facts.append(f"* {words('card_fta')}: {counted} ({words('interval', range=words.range(results.acquire))})")
    return facts


def _presentations(results: Presentations, words: Words) -> list[str]:
    if results.suite is not None:
        return _suite(results, results.suite, words)
    head = ("attack", "presentations", "people", "passed", "apcer", "range", "silent", "stopped")
    lines = _head(*(words(key) for key in head))
    rows = [
        (words.maybe("attack", a.name), a.presentations, a.people, a.apcer, a.no_response, a.stopped_by)
        for a in results.attacks
    ]
    genuine = (results.genuine, results.genuine_people, results.bpcer, results.no_response, results.refused_by)
    for name, count, people, found, silent, layers in [*rows, (words("genuine_row"), *genuine)]:
        stopped = ", ".join(f"{words.maybe('layer', layer)} {number:,}" for layer, number in layers.items()) or "–"
        value = "–" if found.value is None else words.percent(found.value)
        passed = f"{found.errors:,} / {found.trials:,}"
        cells = (name, f"{count:,}", f"{people:,}", passed, value, words.range(found), f"{silent.errors:,}", stopped)
        lines.append(_row(*cells))
    if results.filmed is not None:
        lines += ["", *_head(*(words(key) for key in ("action", "people", "action_missed", "range")))]
        for one in results.filmed.actions:
            name, missed = words.maybe("action", one.action), one.missed
            lines.append(_row(name, f"{one.people:,}", counted(missed), words.range(missed)))
        lines += ["", *(f"* {fact}" for fact in people_facts(results, results.filmed, words))]
    return lines


def people_facts(results: Presentations, filmed: Filmed, words: Words) -> list[str]:
    """How few people it is, who was refused, what passed, how many reasons stopped the attacks; one sentence each."""
    taken = [one for one in filmed.listed if one.verdict != "left out"]
    genuine, attacks = ([one for one in taken if bool(one.attack) is kind] for kind in (False, True))
    judged = [one for one in genuine if one.verdict != "no response"]
    left_out = [one for one in filmed.listed if one.verdict == "left out"]
    passed = {one.person for one in judged if one.verdict == "passed"}
    fewest = min((reasons_of(one) for one in attacks if one.verdict == "refused"), default=0)
    facts = [
        words("people_few", people=len({one.person for one in judged}), genuine=len(judged), screens=_clips(attacks)),
        words("people_always", count=len({one.person for one in judged} - passed)),
        words("people_attacks", passed=sum(one.verdict == "passed" for one in attacks), count=len(attacks)),
        words("people_reasons", fewest=fewest),
    ]
    reasons = dict.fromkeys(f"{_clip(one.name)}: {one.causes[0]}" for one in left_out)
    return [*facts, *(words("people_left_out", reason=reason) for reason in reasons)]


def reasons_of(one: Listed) -> int:
    """Return how many reasons refused it: layers, and each weak measure that raised at least half a doubt."""
    weak = sum(
        value >= 0.5 for name, value in one.values.items() if name.startswith("doubt.") and name != "doubt.total"
    )
    return len(set(one.stopped_by) - {DOUBT}) + (weak if DOUBT in one.stopped_by else 0)


def _clip(name: str) -> str:
    return name.partition(":")[0]


def _clips(listed: Sequence[Listed]) -> int:
    return len({_clip(one.name) for one in listed})


def _suite(results: Presentations, suite: Suite, words: Words) -> list[str]:
    keys = ("attack", "target", "presentations", "passed", "range", "stopped", "without", "chosen_half")
    lines = _head(*(words(key) for key in keys))
    for row in results.attacks:
        assert row.suite is not None
        target = words.maybe("layer", row.suite.target) if row.suite.target else words(f"nature_{row.suite.nature}")
        passed, without, chosen = (counted(found) for found in (row.apcer, row.suite.without, row.suite.chosen))
        stopped = layers(row.stopped_by, words)
        name = words.maybe("attack", row.name)
        cells = (name, target, f"{row.presentations:,}", passed, words.range(row.apcer), stopped, without, chosen)
        lines.append(_row(*cells))
    if suite.thresholds:
        lines += ["", *_head(*(words(key) for key in ("measure", "attacks_most", "heads_least", "shipped", "choice")))]
    for found in suite.thresholds:
        figures = [digits(value) if value is not None else "–" for value in (found.attacks, found.heads, found.shipped)]
        lines.append(_row(words.maybe("measure", found.name), *figures, chosen_threshold(found, words)))
    if (shown := looks(results, words)) is not None:
        lines += ["", *_head(*shown[0]), *(_row(*row) for row in shown[1]), "", words("looks_note")]
    return [*lines, "", *(f"* {fact}" for fact in suite_facts(suite, words))]


def looks(results: Presentations, words: Words) -> tuple[list[str], list[list[str]]] | None:
    """Return head and rows of the image scores' medians by type of attack; None if none were measured."""
    by_type = {row.name: row.suite.looks for row in results.attacks if row.suite is not None and row.suite.looks}
    names = list(dict.fromkeys(name for found in by_type.values() for name in found))
    if not names:
        return None
    head = [words("attack"), *(words.maybe("look", name) for name in names)]
    rows = [
        [words.maybe("attack", attack), *(digits(found[name]) if name in found else "–" for name in names)]
        for attack, found in by_type.items()
    ]
    return head, rows


def counted(found: Rate | None) -> str:
    """Return the errors of the trials as text."""
    return "–" if found is None or not found.trials else f"{found.errors:,} / {found.trials:,}"


def layers(stopped_by: dict[str, int], words: Words) -> str:
    return ", ".join(f"{words.maybe('layer', layer)} {number:,}" for layer, number in stopped_by.items()) or "–"


def chosen_threshold(found: Threshold, words: Words) -> str:
    if found.chosen is None:
        return words("overlap")
    return words("kept") if found.chosen == found.shipped else digits(found.chosen)


def suite_facts(suite: Suite, words: Words) -> list[str]:
    """How the people were chosen, one sentence a fact."""
    reasons = "; ".join(f"{reason} {count}" for reason, count in sorted(suite.unfit.items(), key=lambda one: -one[1]))
    choose, report = suite.people
    facts = [words("suite_people", choose=choose, report=report, examined=suite.examined)]
    return [*facts, words("suite_unfit", count=sum(suite.unfit.values()), reasons=reasons)] if reasons else facts


def scale(calibration: Calibration, language: Language = "en") -> str:
    """The shipped scale: score, cosine, the FMR it promises, the errors it rests on and the rates that those bear.

    A point that rests on fewer than `EXPECTED_ERRORS` is marked.
    """
    words = Words(language)
    lines = _head(words("score"), words("cosine"), words("promised"), words("expected"), words("range"))
    for cosine, score in zip(calibration.cosines[1:-1], calibration.scores[1:-1], strict=True):
        fmr = promised_fmr(score)
        expected = fmr * calibration.impostor_pairs
        few = "" if expected >= EXPECTED_ERRORS else " †"
        shown = f"**{score:g}**" if score in ANCHORS else f"{score:g}"
        borne = rate(round(expected), calibration.impostor_pairs)
        errors = f"{expected:,.0f}" if expected >= 1000 else digits(expected)
        lines.append(_row(shown, f"{cosine:g}", words.one_in(fmr), errors + few, words.range(borne)))
    size = f"{words('images')}: {calibration.images:,}; {words('genuine')}: {calibration.genuine_pairs:,}; "
    size += f"{words('impostor')}: {calibration.impostor_pairs:,}"
    return "\n".join([*lines, "", words("few", errors=EXPECTED_ERRORS), "", f"{calibration.data}. {size}."]) + "\n"
