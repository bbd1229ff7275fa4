"""Everything that can be checked and listed before a benchmark's work begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from wavenetmv.bench.codecs.base import Codec, Setting, chosen
from wavenetmv.bench.codecs.registry import make_codec
from wavenetmv.bench.ground_truth import GroundTruth
from wavenetmv.bench.jobs import Job, Plan, Source, clip_of, clip_source_of, pixels_of, source_of
from wavenetmv.bench.request import Request
from wavenetmv.bench.vmaf import has_vmaf
from wavenetmv.errors import InputError, UsageFault, WmvError

ORIGINAL = ""  # in place of a codec: detector and classifier on the pictures as they are


@dataclass(frozen=True)
class Prepared:
    """Work that can start.

    codecs       those that run here, by name, in the order asked for
    sources      the pictures that can be read
    further      codecs that the others are held against besides `anchor`
    annotations  None without
    jobs         the originals' first, then picture by picture
    unavailable  why a codec was left out, by its name
    unreadable   why a picture was left out, one line each
    notes        one line each, for the reader of the results
    """

    request: Request
    plan: Plan
    codecs: Mapping[str, Codec]
    sources: Sequence[Source]
    anchor: str
    further: Sequence[str]
    annotations: GroundTruth | None
    jobs: Sequence[Job]
    unavailable: Mapping[str, str]
    unreadable: Sequence[str]
    notes: Sequence[str]

    @property
    def left_out(self) -> list[str]:
        """One line for each codec and picture that cannot be measured here."""
        return [
            *(f"{name} is left out: {reason}" for name, reason in self.unavailable.items()),
            *(f"picture left out: {reason}" for reason in self.unreadable),
        ]


def prepare(request: Request) -> Prepared:
    """Raises InputError or UsageFault when nothing could be measured.

    A codec or picture that cannot be had is left out, with its reason.
    """
    _check_libraries(request)
    _check_networks(request)
    sources, unreadable = _sources(request)
    annotations = None
    if "map" in request.metrics and request.annotations is not None:
        names = [source.name for source in sources]
        annotations = GroundTruth.from_annotations(request.annotations, names)
    codecs, unavailable = _codecs(request)
    for anchor in (request.anchor, *request.further):
        if anchor in unavailable:
            raise InputError(f"the anchor {anchor} cannot run: {unavailable[anchor]}")
    latents, notes = _latents(request, codecs)
    latent_classes, reasons = _latent_classes(request, codecs)
    notes += reasons
    vmaf = "vmaf" in request.metrics and has_vmaf()
    if "vmaf" in request.metrics and not vmaf:
        notes.append("VMAF is left out: this ffmpeg was built without libvmaf")
    anchor = request.anchor or _default_anchor(list(codecs), request.video)
    plan = Plan(
        request.out, request.options, request.resume, "ms-ssim" in request.metrics,
        vmaf, request.detector if request.detects else None, latents,
        request.classifier if request.classifies else None, latent_classes,
    )  # fmt: skip
    jobs = _jobs(request, codecs, sources)
    return Prepared(
        request, plan, codecs, sources, anchor, _further(request, codecs, anchor), annotations,
        jobs, unavailable, unreadable, notes,
    )  # fmt: skip


def _default_anchor(codecs: Sequence[str], video: bool) -> str:
    others = [name for name in codecs if not name.startswith("wmv")] or codecs
    usual = "x264" if video else "vvc"
    return usual if usual in others else others[0]


def _further(request: Request, codecs: Mapping[str, Codec], anchor: str) -> list[str]:
    """Those asked for; on clips our own codec with every frame alone, if no anchor was named."""
    usual = ["wmv-intra", "wmv-human-intra"] if request.video and not request.anchor else []
    named = request.further or [name for name in usual if name in codecs]
    return [name for name in named if name != anchor]


def _check_libraries(request: Request) -> None:
    """What the last step needs should not be found missing after an hour of coding."""
    modules = ["bjontegaard", "scipy", "matplotlib", "jinja2"]
    modules += ["pytorch_msssim"] if "ms-ssim" in request.metrics else []
    if request.detects:
        from wavenetmv.bench.detectors import libraries_of

        modules += ["pycocotools", *(libraries_of(request.detector) if request.detector else [])]
    if missing := [name for name in modules if find_spec(name) is None]:
        raise UsageFault(
            f"a benchmark needs pip install 'wavenetmv[bench]'; missing: {', '.join(missing)}"
        )


def _check_networks(request: Request) -> None:
    if request.detects and request.detector is not None:
        from wavenetmv.bench.detectors import load_detector

        load_detector(request.detector, threads=1)
    if request.classifies and request.classifier is not None:
        from wavenetmv.bench.classifiers import Classifier

        Classifier(request.classifier)


def _sources(request: Request) -> tuple[list[Source], list[str]]:
    for cached in (pixels_of, clip_of):
        cached.cache_clear()  # files may have changed since another benchmark read them
    sources, unreadable = [], []
    for name, path in request.pictures.items():
        try:
            if request.video:
                sources.append(clip_source_of(name, path, request.frames))
            else:
                sources.append(source_of(name, path))
        except WmvError as error:
            unreadable.append(str(error))
    if not sources:
        raise InputError(unreadable[0] if unreadable else "nothing to measure")
    return sources, unreadable


def _codecs(request: Request) -> tuple[dict[str, Codec], dict[str, str]]:
    codecs, unavailable, failed = dict[str, Codec](), dict[str, str](), list[WmvError]()
    for name in request.codecs:
        try:
            codec = make_codec(name, request.options)
            codec.describe()  # which needs versions and weights
            codecs[name] = codec
        except WmvError as error:
            unavailable[name] = str(error)
            failed.append(error)
    if not codecs and len(failed) == 1:
        raise failed[0]
    if not codecs:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in unavailable.items())
        raise InputError(f"no codec can run: {reasons}")
    return codecs, unavailable


def _latents(request: Request, codecs: Mapping[str, Codec]) -> tuple[frozenset[str], list[str]]:
    """Codecs that find objects in their own streams, and notes on those that might but do not."""
    reasons = {name: codec.detects() for name, codec in codecs.items() if request.detects}
    return _able(reasons, "by latents")


def _latent_classes(
    request: Request, codecs: Mapping[str, Codec]
) -> tuple[frozenset[str], list[str]]:
    """The same of classes."""
    reasons = {name: codec.classifies() for name, codec in codecs.items() if request.classifies}
    return _able(reasons, "top-1 agreement by latents")


def _able(reasons: Mapping[str, str | None], way: str) -> tuple[frozenset[str], list[str]]:
    """Codecs with no reason why not, and notes of those that have one."""
    notes = [f"{name} {way} is left out: {reason}" for name, reason in reasons.items() if reason]
    return frozenset(name for name, reason in reasons.items() if reason is None), notes


def _jobs(request: Request, codecs: Mapping[str, Codec], sources: Sequence[Source]) -> list[Job]:
    look = request.detects or request.classifies
    looks = [Job(ORIGINAL, Setting("", 0), source) for source in sources if look]
    return looks + [
        Job(name, setting, source)
        for source in sources
        for name, codec in codecs.items()
        for setting in chosen(codec, request.settings.get(name), request.points)
    ]
