"""From results to tables: medians with spread, ratios round by round, targets."""

from dataclasses import dataclass
from statistics import median

ENGINES = {"pytorch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "masklet": "masklet"}


@dataclass(frozen=True)
class Quantity:
    """A row of the table: a key of the results of a task; masklet has all keys in one result."""

    name: str
    task: str
    key: str
    unit: str
    participants: tuple


@dataclass(frozen=True)
class Target:
    """A ratio of two values of the same round, and its limit."""

    name: str
    over: tuple
    under: tuple
    at_least: float | None = None
    at_most: float | None = None

    def met(self, value):
        return value >= self.at_least if self.at_least is not None else value <= self.at_most

    def limit(self):
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


PYTORCH = (("pytorch", "f32"), ("pytorch", "bf16"))
MASKLET = (("masklet", "f32"), ("masklet", "bf16"))
ENCODER = (*PYTORCH, ("onnxruntime", "f32"), ("openvino", "f32"), ("openvino", "bf16"), *MASKLET)
QUANTITIES = (
    Quantity("image encoder", "encoder", "encode_s", "s", ENCODER),
    Quantity("video frame, full bank", "video", "frame_s", "s", (*PYTORCH, *MASKLET)),
    Quantity("a further object", "video", "extra_object_s", "s", (*PYTORCH, *MASKLET)),
    Quantity("peak memory, 12 frames", "memory", "peak_rss_mb", "MiB", (*PYTORCH, *MASKLET)),
)
TARGETS = (
    Target("image encoder f32: ONNX Runtime / masklet",
           ("encode_s", "onnxruntime", "f32"), ("encode_s", "masklet", "f32"), at_least=1.5),
    Target("image encoder bf16: OpenVINO / masklet",
           ("encode_s", "openvino", "bf16"), ("encode_s", "masklet", "bf16"), at_least=1.0),
    Target("video frame f32: PyTorch / masklet",
           ("frame_s", "pytorch", "f32"), ("frame_s", "masklet", "f32"), at_least=3.0),
    Target("video frame bf16: PyTorch / masklet",
           ("frame_s", "pytorch", "bf16"), ("frame_s", "masklet", "bf16"), at_least=4.0),
    Target("further object / whole frame with one, masklet f32",
           ("extra_object_s", "masklet", "f32"), ("frame_s", "masklet", "f32"), at_most=0.6),
    Target("further object / whole frame with one, masklet bf16",
           ("extra_object_s", "masklet", "bf16"), ("frame_s", "masklet", "bf16"), at_most=0.6),
    Target("peak memory: masklet f32 / PyTorch f32",
           ("peak_rss_mb", "masklet", "f32"), ("peak_rss_mb", "pytorch", "f32"), at_most=0.5),
    Target("peak memory: masklet bf16 / PyTorch f32",
           ("peak_rss_mb", "masklet", "bf16"), ("peak_rss_mb", "pytorch", "f32"), at_most=0.5),
)
# Before a turn, others should leave the processor alone.
QUIET_PERCENT = 10


def compare(data):
    """Everything that the tables show, as numbers."""
    values = collect(data["results"])
    only = data["settings"]["only"]
    return {
        "medians": [
            {"quantity": q.name, "unit": q.unit, "engine": engine, "precision": precision}
            | summary(values.get((q.key, engine, precision), {}))
            | {"masklet_ratio": masklet_ratio(values, q.key, engine, precision)}
            for q in QUANTITIES if q.task in only for engine, precision in q.participants
        ],
        "targets": [target_entry(target, values) for target in TARGETS if in_scope(target, only)],
        "differences": differences(data["results"]),
        "sittings": sorted({result["sitting"] for result in data["results"]}),
        "others_busy_percent": summary(dict(enumerate(r["others_busy_percent"] for r in data["results"]))),
        "noisy_turns": sum(r["others_busy_percent"] > QUIET_PERCENT for r in data["results"]),
    }


def in_scope(target, only):
    return {q.task for q in QUANTITIES if q.key in (target.over[0], target.under[0])} <= set(only)


def collect(results):
    """(key, engine, precision) → {round: value}."""
    values = {}
    for result in results:
        _, engine, precision = result["peer"].split()
        for quantity in QUANTITIES:
            if quantity.key in result:
                by_round = values.setdefault((quantity.key, engine, precision), {})
                by_round[result["round"]] = result[quantity.key]
    return values


def summary(by_round):
    """Median, smallest and largest of the rounds."""
    if not by_round:
        return {"median": None}
    numbers = list(by_round.values())
    return {"median": median(numbers), "min": min(numbers), "max": max(numbers), "rounds": len(numbers)}


def ratio(values, over, under):
    """Ratios of values of the same round."""
    a, b = values.get(over, {}), values.get(under, {})
    return summary({number: a[number] / b[number] for number in sorted(a.keys() & b.keys())})


def masklet_ratio(values, key, engine, precision):
    """How many times masklet's value, in the same precision, the peer's value is."""
    return ratio(values, (key, engine, precision), (key, "masklet", precision))


def target_entry(target, values):
    found = ratio(values, target.over, target.under)
    met = None if found["median"] is None else target.met(found["median"])
    return {"target": target.name, "limit": target.limit(), "met": met} | found


def differences(results):
    """The largest difference of a peer's features from PyTorch f32, relative to the largest value."""
    found = {}
    for result in results:
        if "difference" in result:
            peer = result["peer"]
            found[peer] = max(found.get(peer, 0.0), result["difference"])
    return found


def markdown(data):
    comparison, settings = data["comparison"], data["settings"]
    return "\n".join([
        "# masklet next to others", "",
        "Written by `bench/peers/compare.py`; every single result is in `performance-data.json`.", "",
        f"{settings['preset']}, random weights, 1024 px, batch 1, {settings['threads']} threads, "
        f"up to {settings['rounds']} rounds in turns. Medians of rounds; in brackets the smallest and the largest.", "",
        *conditions(data), "",
        "## Targets", "",
        "| ratio, round by round | target | measured | |", "|---|---|---|---|",
        *(target_row(entry) for entry in comparison["targets"]), "",
        "## Medians", "",
        "| | | | peer / masklet in the same precision |", "|---|---|---|---|",
        *(median_row(entry, data["failures"]) for entry in comparison["medians"]), "",
        "The whole frame includes the image encoder. A further object is the difference of frames with two objects "
        "and with one. PyTorch's peak memory is that of tracking one object through 12 frames; masklet's is that of the "
        "whole `masklet bench`, which tracks more frames and a second object.", "",
        *not_run(data["failures"]),
        "## Are the conversions right?", "",
        "Features of the first frame against PyTorch f32: largest difference of a feature map, relative to its largest value.", "",
        "| | |", "|---|---|",
        *(f"| {label(peer)} | {value:.1e} |" for peer, value in comparison["differences"].items()), "",
    ])


def conditions(data):
    machine, comparison = data["machine"], data["comparison"]
    packages = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    busy, sittings = comparison["others_busy_percent"], comparison["sittings"]
    lines = [
        f"- Machine: {machine['cpu']} ({machine['family_model_stepping']}), {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}; {' '.join(machine['flags'])}",
        f"- Versions: {packages}",
        f"- Run in one go: {sittings[0]}" if len(sittings) == 1 else f"- Run in {len(sittings)} sittings: {', '.join(sittings)}",
    ]
    if busy["median"] is not None:
        lines.append(
            f"- Processor in use by others before a turn: {busy['median']:.0f}% ({busy['min']:.0f}–{busy['max']:.0f}%)"
            + (f". **Noisy**: {comparison['noisy_turns']} turns began above {QUIET_PERCENT}%"
               if comparison["noisy_turns"] else "")
        )
    if machine["environment"]:
        lines.append(f"- Environment: {', '.join(f'{k}={v}' for k, v in machine['environment'].items())}")
    return lines


def target_row(entry):
    verdict = {True: "met", False: "**missed**", None: "not measured"}[entry["met"]]
    return f"| {entry['target']} | {entry['limit']} | {spread(entry, '', 2)} | {verdict} |"


def median_row(entry, failures):
    engine, precision = entry["engine"], entry["precision"]
    value = spread(entry, entry["unit"], 0 if entry["unit"] == "MiB" else 3)
    if entry["median"] is None and any(peer.endswith(f"{engine} {precision}") for peer in failures):
        value = "not run: see below"
    relative = "" if engine == "masklet" else spread(entry["masklet_ratio"], "", 2)
    return f"| {entry['quantity']} | {ENGINES[engine]} {precision} | {value} | {relative} |"


def spread(entry, unit, digits):
    if entry["median"] is None:
        return "–"
    number = lambda key: f"{entry[key]:.{digits}f}"
    return f"{number('median')} {unit} ({number('min')}–{number('max')})".replace("  ", " ")


def not_run(failures):
    return [*(f"- {label(peer)}: not run: {reason}" for peer, reason in failures.items()), ""] if failures else []


def label(peer):
    task, engine, precision = peer.split()
    return f"{ENGINES[engine]} {precision} ({task})"


def in_short(result):
    keys = ("encode_s", "frame_s", "extra_object_s", "peak_rss_mb", "difference")
    return ", ".join(f"{key} {result[key]:.3g}" for key in keys if key in result)
