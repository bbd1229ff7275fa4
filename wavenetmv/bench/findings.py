"""What the numbers say, in sentences: made from comparisons and points, nothing else.

They speak of one codec, the subject: `wmv` where it took part, else the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wavenetmv.bench.results import DecodingPath, Results
from wavenetmv.bench.wording import (
    OWN,
    count,
    interval,
    joined,
    mean_seconds,
    number,
    percent,
    quality_name,
    title_of,
)


@dataclass(frozen=True)
class Standing:
    """Bits of one codec in percent of the anchor's at equal quality; the anchor has 0."""

    codec: str
    path: DecodingPath
    bd_rate: float
    low: float | None = None
    high: float | None = None
    note: str = ""  # why the number needs care

    def surely_below(self, other: Standing) -> bool:
        """The intervals, where there are any, do not touch."""
        mine = self.bd_rate if self.high is None else self.high
        theirs = other.bd_rate if other.low is None else other.low
        return mine < theirs


@dataclass(frozen=True)
class Headline:
    """The subject against the anchor: "-19.0%" and the sentence that explains it."""

    value: str
    better: bool
    title: str
    sentence: str


def subject_of(results: Results) -> str:
    """The codec that the sentences speak of; "" if there was none."""
    codecs = list(dict.fromkeys(point.codec for point in results.points))
    return OWN if OWN in codecs or not codecs else codecs[0]


def metrics_of(results: Results) -> list[str]:
    """What codecs were compared on, in the order of the comparisons."""
    return list(dict.fromkeys(comparison.metric for comparison in results.comparisons))


def standings(results: Results, metric: str) -> list[Standing]:
    """All codecs that have a BD-rate on `metric`, best first; empty without any."""
    chosen = [c for c in results.comparisons if c.metric == metric]
    found = [
        Standing(c.codec, c.path, c.bd_rate, c.low, c.high, c.note)
        for c in chosen
        if c.bd_rate is not None
    ]
    if found:
        found.append(Standing(chosen[0].anchor, "pixels", 0.0, 0.0, 0.0))
    return sorted(found, key=lambda standing: standing.bd_rate)


def scope(results: Results) -> str:
    """What was compared on what, in one sentence."""
    codecs = dict.fromkeys(point.codec for point in results.points)
    sizes = {(picture.width, picture.height) for picture in results.pictures}
    size = f" of {'x'.join(map(str, sizes.pop()))} pixels" if len(sizes) == 1 else ""
    inputs = count(len(results.pictures), results.noun)
    return (
        f"{count(len(codecs), 'codec')} on {inputs}{_length(results)}{size}: "
        f"{joined([title_of(codec, results) for codec in codecs])}."
    )


def _length(results: Results) -> str:
    """What follows "3 clips": their lengths; nothing for pictures."""
    lengths = {picture.frames for picture in results.pictures if picture.frames}
    ends = sorted({min(lengths), max(lengths)}) if lengths else []
    return f" of {' to '.join(map(str, ends))} frames" if ends else ""


def headlines(results: Results) -> list[Headline]:
    """One per measure and path on which the subject was compared with the anchor."""
    subject = subject_of(results)
    return [
        _headline(results, standing, metric)
        for metric in metrics_of(results)
        for standing in standings(results, metric)
        if standing.codec == subject != results.anchor
    ]


def _headline(results: Results, standing: Standing, metric: str) -> Headline:
    name = title_of(standing.codec, results, standing.path)
    anchor, quality = title_of(results.anchor, results), quality_name(metric)
    more = "more" if standing.bd_rate > 0 else "fewer"
    sentence = f"{name} needs {abs(standing.bd_rate):.1f}% {more} bits than {anchor}"
    sentence += f" at equal {quality}"
    if standing.low is not None:
        sentence += f" (95% interval {interval(standing.low, standing.high)})"
    if standing.note:
        sentence += f"; {standing.note}"
    title = f"{name}: bits at equal {quality}"
    return Headline(percent(standing.bd_rate), standing.bd_rate < 0, title, sentence + ".")


def order(results: Results) -> list[str]:
    """Per measure one sentence that lists all codecs from the fewest bits to the most."""
    sentences = []
    for metric in metrics_of(results):
        if found := standings(results, metric):
            names = [_named(results, standing) for standing in found]
            sentences.append(
                f"From the fewest bits to the most at equal {quality_name(metric)}: "
                f"{', '.join(names)}."
            )
    return sentences


def _named(results: Results, standing: Standing, note: str = "") -> str:
    name = title_of(standing.codec, results, standing.path)
    if standing.codec == results.anchor:
        return f"{name} (the anchor)"
    return f"{name} {percent(standing.bd_rate)}{note}"


def losses(results: Results) -> list[str]:
    """Where others are ahead of the subject, one sentence each; empty if nowhere."""
    subject = subject_of(results)
    return [
        *_rate_losses(results, subject),
        *_accuracy_losses(results, subject),
        *_time_losses(results, subject),
        *_not_comparable(results, subject),
    ]


def _rate_losses(results: Results, subject: str) -> Iterator[str]:
    for metric in metrics_of(results):
        found = standings(results, metric)
        for own in [standing for standing in found if standing.codec == subject]:
            ahead = [s for s in found if s.bd_rate < own.bd_rate and s.codec != subject]
            if ahead:
                names = [
                    _named(results, s, "" if s.surely_below(own) else " (intervals overlap)")
                    for s in ahead
                ]
                yield (
                    f"Bits at equal {quality_name(metric)}: {_named(results, own)} "
                    f"needs more than {joined(names)}."
                )


def _accuracy_losses(results: Results, subject: str) -> Iterator[str]:
    """Codecs whose best accuracy, at any rate, is above the subject's."""
    for metric in ("map", "agreement", "top1"):
        best = _best(results, metric)
        for (codec, path), own in best.items():
            ahead = [key for key in best if key[0] != subject and best[key] > own]
            if codec == subject and ahead:
                ahead.sort(key=lambda key: -best[key])
                names = [f"{title_of(c, results, p)} {number(best[c, p])}" for c, p in ahead]
                yield (
                    f"Highest {quality_name(metric)} at any rate: "
                    f"{title_of(codec, results, path)} {number(own)} is below {joined(names)}."
                )


def _best(results: Results, metric: str) -> dict[tuple[str, DecodingPath], float]:
    best: dict[tuple[str, DecodingPath], float] = {}
    for point in results.points:
        if (value := point.measure(metric)) is not None:
            key = (point.codec, point.path)
            best[key] = max(value, best.get(key, value))
    return best


def _time_losses(results: Results, subject: str) -> Iterator[str]:
    times = mean_seconds(results)
    if subject not in times:
        return
    for place, verb in enumerate(("encoding", "decoding")):
        own = times[subject][place]
        faster = [
            f"{_times(own / pair[place])} that of {title_of(codec, results)}"
            for codec, pair in sorted(times.items(), key=lambda item: item[1][place])
            if pair[place] < own and codec != subject
        ]
        if faster:
            yield f"Time of {verb}: {title_of(subject, results)} takes {joined(faster)}."


def _times(ratio: float) -> str:
    return f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def _not_comparable(results: Results, subject: str) -> Iterator[str]:
    for c in results.comparisons:
        if c.codec == subject and c.bd_rate is None:
            name, anchor = title_of(c.codec, results, c.path), title_of(c.anchor, results)
            yield f"No BD-rate ({quality_name(c.metric)}) of {name} against {anchor}: {c.note}."
