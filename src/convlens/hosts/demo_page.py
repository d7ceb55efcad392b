"""The demo's page: one HTML file without scripts, whose pictures lie beside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from convlens import derivation, draw
from convlens.derivation import Worked
from convlens.draw.colours import colour_map
from convlens.draw.lettering import format_value
from convlens.lens import Kernels, Statistics
from convlens.network import Layer, Network
from convlens.sketches import Lesson

_COLOURS = {3: ("red", "green", "blue")}


@dataclass(frozen=True, slots=True)
class Map:
    """One channel: the file with every value, the one for the page, at 1/``step`` or enlarged ``factor`` times."""

    channel: int
    whole: str
    small: str
    step: int
    factor: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One layer on the way from the picture to the last map."""

    layer: Layer
    picture: str
    maps: tuple[Map, ...]
    scale: draw.Scale
    statistics: Statistics
    kernels: Kernels | None


@dataclass(frozen=True, slots=True)
class Section:
    """One lesson: its network, its stages, its arithmetic, and the files that lie beside the page."""

    lesson: Lesson
    network: Network
    stages: tuple[Stage, ...]
    arithmetic: tuple[Worked, ...]
    links: Mapping[str, str]


def page(sections: Sequence[Section], *, picture: str, thumbnail: str, credit: str) -> str:
    """The whole page."""
    contents = "".join(_row(section) for section in sections)
    lessons = "".join(_section(section, picture, thumbnail) for section in sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="convlens">
<meta name="color-scheme" content="light dark">
<title>Eight small networks look at a cat · convlens</title>
<style>{_STYLE}</style>
</head>
<body>
<header class="top">
<div>
<p class="maker">convlens</p>
<h1>Eight small networks look at a cat</h1>
<p class="lead">Each is one line of text. Below are its kernels, what every layer makes of the picture, and how each
number comes about. The weights are random: nothing here has been trained.</p>
<p class="key"><span><span class="bar" style="{_gradient(True)}"></span> negative, zero, positive</span>
<span><span class="bar" style="{_gradient(False)}"></span> zero to the largest value</span></p>
</div>
<figure><a href="{_href(picture)}"><img src="{_href(thumbnail)}" alt="The picture: a cat" width="180" height="240"></a>
<figcaption>{escape(credit)}</figcaption></figure>
</header>
<nav aria-label="The eight models"><div class="scroll"><table>
<thead><tr><th></th><th>model</th><th>as a sketch</th><th class="n">parameters</th>
<th class="n">channels × rows × columns</th></tr></thead>
<tbody>{contents}</tbody></table></div></nav>
<main>{lessons}</main>
</body>
</html>
"""


def _row(section: Section) -> str:
    lesson = section.lesson
    return (
        f'<tr><td class="n">{lesson.number}</td><td><a href="#model-{lesson.number}">{escape(lesson.title)}</a></td>'
        f"<td><code>{_sketch(lesson)}</code></td>"
        f'<td class="n">{section.network.parameters:,}</td>'
        f'<td class="n">{_shape(section.network.layers[-1].output_shape)}</td></tr>'
    )


def _section(section: Section, picture: str, thumbnail: str) -> str:
    lesson = section.lesson
    stages = "".join(_stage(stage, section) for stage in section.stages)
    maps = {f"maps of {stage.layer.name}": stage.picture for stage in section.stages}
    files = {**section.links, **maps}.items()
    links = "".join(f'<li><a href="{_href(path)}">{escape(name)}</a></li>' for name, path in files)
    given = section.network.inputs[0]
    return f"""
<section id="model-{lesson.number}">
<h2><span class="number">{lesson.number}</span>{escape(lesson.title)}</h2>
<p class="sketch"><code>{_sketch(lesson)}</code></p>
<p class="says">{escape(lesson.says)}</p>
<div class="flow">
<figure class="stage"><figcaption><b>{escape(given.name)}</b><span>{_shape(given.shape)}</span></figcaption>
<div class="maps"><a href="{_href(picture)}"><img src="{_href(thumbnail)}" alt="The picture" loading="lazy"></a></div>
<div class="legend"><span class="bar grey"></span><span>0</span><span>255</span></div></figure>
{stages}
</div>
<details open><summary>How the numbers come about</summary>
<div class="scroll"><table class="arithmetic"><tbody>{"".join(_worked(worked) for worked in section.arithmetic)}</tbody>
</table></div></details>
<ul class="files">{links}</ul>
</section>"""


def _stage(stage: Stage, section: Section) -> str:
    layer = stage.layer
    pictures = "".join(
        f'<a href="{_href(shown.whole)}" title="{_title(shown, layer)}">'
        f'<img src="{_href(shown.small)}" alt="{_title(shown, layer)}" loading="lazy">{_number(shown, stage)}</a>'
        for shown in stage.maps
    )
    kernels = _kernels(stage.kernels, section) if stage.kernels is not None else ""
    return (
        f'{kernels}<figure class="stage"><figcaption><b><a href="{_href(stage.picture)}">{escape(layer.name)}</a></b>'
        f"<span>{_shape(layer.output_shape)}</span></figcaption>"
        f'<div class="maps">{pictures}</div>{_legend(stage)}</figure>'
    )


def _number(shown: Map, stage: Stage) -> str:
    return f"<small>{shown.channel}</small>" if len(stage.maps) > 1 else ""


def _title(shown: Map, layer: Layer) -> str:
    size = (
        f"shown at 1/{shown.step}" if shown.step > 1 else f"enlarged {shown.factor} times" if shown.factor > 1 else ""
    )
    return escape(", ".join(filter(None, [f"{layer.name}, channel {shown.channel}", size])))


def _legend(stage: Stage) -> str:
    scale, found = stage.scale, stage.statistics
    low, high = format_value(scale.minimum), format_value(scale.maximum)
    middle = "<span>0</span>" if scale.diverging else ""
    values = "no finite value"
    if found.minimum is not None and found.maximum is not None:
        values = f"values {format_value(found.minimum)} to {format_value(found.maximum)}"
    return (
        f'<div class="legend"><span class="bar" style="{_gradient(scale.diverging)}"></span>'
        f"<span>{low}</span>{middle}<span>{high}</span></div>"
        f'<p class="values">{values}</p>'
    )


def _kernels(kernels: Kernels, section: Section) -> str:
    filters, channels, rows, columns = kernels.array.shape
    scale = draw.scale_for(kernels.array, mode="diverging")
    names = _COLOURS.get(channels, ()) if kernels.reads_colour else ()
    head = "".join(f"<th>{names[channel] if names else channel}</th>" for channel in range(channels))
    body = "".join(
        "<tr>" + "".join(f"<td>{_kernel(kernels, f, c, scale)}</td>" for c in range(channels)) + "</tr>"
        for f in range(filters)
    )
    link = section.links.get("kernels") or section.links[f"kernels of {kernels.name}"]
    weights = derivation.shape_in_words(kernels.array.shape).replace("x", "×")
    limit = format_value(scale.limit)
    return (
        f'<figure class="stage"><figcaption><b><a href="{_href(link)}">kernels</a></b>'
        f"<span>{weights}</span></figcaption>"
        f'<table class="kernels"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        f'<div class="legend"><span class="bar" style="{_gradient(True)}"></span>'
        f"<span>-{limit}</span><span>0</span><span>{limit}</span></div>"
        f'<p class="values">{_counted(filters, "filter")} of {_counted(channels, "kernel")}, {rows} × {columns}</p>'
        "</figure>"
    )


def _kernel(kernels: Kernels, number: int, channel: int, scale: draw.Scale) -> str:
    values = kernels.array[number, channel]
    picture = b64encode(draw.map_png(values, scale=scale, legend=False)).decode()
    told = f"filter {number}, channel {channel}"
    if values.size <= 25:
        told += ": " + " / ".join(" ".join(format_value(float(v)) for v in row) for row in values)
    return f'<img class="kernel" src="data:image/png;base64,{picture}" alt="{told}" title="{told}">'


def _worked(worked: Worked) -> str:
    layer = worked.layer
    lines = [
        f"<tr><td>{escape(line.what)}</td>"
        f'<td title="{escape(line.rule)}"><code>{_formula(line.worked)}</code></td></tr>'
        for line in worked.derivations
    ]
    if worked.remarks or not lines:
        lines.append(f'<tr><td></td><td class="remark">{escape(" ".join(worked.remarks))}</td></tr>')
    head = f'<th rowspan="{len(lines)}" scope="rowgroup">{escape(layer.name)}</th>'
    return f'<tr class="first">{head}' + "".join(lines).removeprefix("<tr>")


def _formula(worked: str) -> str:
    left, _, value = worked.rpartition(" = ")
    return f"{escape(left)} = <b>{int(value):,}</b>"


def _sketch(lesson: Lesson) -> str:
    return ' <span class="pipe">|</span> '.join(escape(part.strip()) for part in lesson.sketch.split("|"))


def _shape(shape: Sequence[int | None]) -> str:
    return " × ".join("?" if n is None else str(n) for n in shape)


def _href(path: str) -> str:
    return escape(quote(path))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _gradient(diverging: bool) -> str:
    stops = colour_map(diverging)[:: 238 // 14]
    return "background:linear-gradient(90deg," + ",".join("#{:02x}{:02x}{:02x}".format(*stop) for stop in stops) + ")"


_STYLE = """
:root{--page:#fbfbf9;--card:#fff;--ink:#1f2430;--soft:#5d6472;--line:#e2e3df;--accent:#2b62c4;--chip:#f0f1ec;--radius:10px}
@media (prefers-color-scheme:dark){:root{--page:#13151a;--card:#1a1d24;--ink:#e7e8ec;--soft:#9aa1b0;--line:#2b2f3a;
--accent:#84b1ff;--chip:#242833}}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0 auto;max-width:1180px;padding:48px 28px 96px;background:var(--page);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Ubuntu,sans-serif}
a{color:var(--accent);text-decoration-thickness:1px;text-underline-offset:3px}
a:focus-visible{outline:2px solid var(--accent);outline-offset:3px;border-radius:3px}
code{font:0.92em/1.5 ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
h1{font-size:clamp(30px,5vw,46px);line-height:1.1;letter-spacing:-.022em;margin:0 0 18px;text-wrap:balance}
h2{font-size:25px;line-height:1.2;letter-spacing:-.012em;margin:0 0 14px;display:flex;align-items:baseline;gap:14px}
figure{margin:0}
img{display:block}
.scroll{overflow-x:auto}
.top{display:flex;gap:48px;align-items:flex-start;justify-content:space-between;margin-bottom:36px}
.top figure{flex:none;width:180px}
.top figcaption{font-size:12px;line-height:1.45;color:var(--soft);margin-top:8px}
.top img{border-radius:var(--radius)}
.maker{margin:0 0 10px;font-weight:600;color:var(--accent)}
.lead{font-size:18px;max-width:38em;margin:0 0 20px;color:var(--soft)}
.key{font-size:13px;color:var(--soft);display:flex;flex-wrap:wrap;gap:6px 24px;margin:0}
.key .bar{width:110px;margin-right:6px}
.bar{display:inline-block;height:8px;border-radius:4px;box-shadow:inset 0 0 0 1px rgb(128 128 128/.18)}
.bar.grey{background:linear-gradient(90deg,#000,#fff)}
nav table{border-collapse:collapse;width:100%;font-size:15px;white-space:nowrap}
nav th{font-weight:400;font-size:13px;color:var(--soft);text-align:left}
nav td code{font-size:13px}
nav th,nav td{padding:7px 16px 7px 0;border-bottom:1px solid var(--line)}
nav .n,nav th.n{text-align:right;font-variant-numeric:tabular-nums}
nav td:first-child{color:var(--soft);width:2em}
nav td:last-child,nav th:last-child{padding-right:0}
section{margin-top:76px;scroll-margin-top:24px}
.number{font-size:15px;line-height:30px;width:30px;text-align:center;border-radius:15px;background:var(--ink);
color:var(--page);flex:none;letter-spacing:0;align-self:center;font-weight:600}
.sketch{margin:0 0 12px}
.sketch code{background:var(--chip);border-radius:6px;padding:5px 10px;display:inline-block}
.pipe{color:var(--soft)}
.says{max-width:44em;margin:0 0 24px}
.flow{display:flex;flex-wrap:wrap;gap:20px 34px;align-items:flex-start}
.stage{position:relative;min-width:0}
.stage+.stage::before{content:"";position:absolute;left:-22px;top:140px;width:8px;height:8px;
border:solid var(--soft);border-width:2px 2px 0 0;transform:rotate(45deg);opacity:.7}
.stage figcaption{display:flex;gap:10px;align-items:baseline;font-size:14px;margin-bottom:8px;white-space:nowrap}
.stage figcaption span{color:var(--soft);font-size:13px;font-variant-numeric:tabular-nums}
.maps{display:flex;flex-wrap:wrap;gap:8px}
.maps img{width:168px;height:auto;border-radius:6px;box-shadow:0 0 0 1px var(--line)}
.maps a{color:var(--soft);text-decoration:none}
.maps small{font-size:12px;line-height:1;display:block;padding-top:5px}
.maps a:hover img{box-shadow:0 0 0 2px var(--accent)}
.legend{display:flex;flex-wrap:wrap;justify-content:space-between;font-size:12px;color:var(--soft);margin-top:10px;
font-variant-numeric:tabular-nums;max-width:168px}
.legend .bar{flex:0 0 100%;margin-bottom:2px}
.values{font-size:12px;color:var(--soft);margin:2px 0 0;font-variant-numeric:tabular-nums}
.kernels{border-collapse:separate;border-spacing:0;margin:0 0 0 -6px}
.kernels th{font-weight:400;font-size:12px;color:var(--soft);padding:0 0 2px}
.kernels td{padding:0 6px 12px}
.kernel{width:56px;height:56px;image-rendering:pixelated;border-radius:4px;box-shadow:0 0 0 1px var(--line)}
details{margin-top:26px;background:var(--card);border:1px solid var(--line);border-radius:var(--radius)}
summary{cursor:pointer;padding:12px 18px;font-size:14px;color:var(--soft)}
summary:focus-visible{outline:2px solid var(--accent);outline-offset:-2px;border-radius:var(--radius)}
details .scroll{padding:0 18px 14px}
.arithmetic{border-collapse:collapse;font-size:14px;width:100%}
.arithmetic td,.arithmetic th{padding:4px 18px 4px 0;text-align:left;vertical-align:top;font-weight:400}
.arithmetic td:first-of-type{color:var(--soft);white-space:nowrap}
.arithmetic th{font-weight:600;width:9em}
.arithmetic td:last-child{width:99%}
.arithmetic code{white-space:nowrap}
.arithmetic .first>*{border-top:1px solid var(--line);padding-top:8px}
.arithmetic tr:last-child>*{padding-bottom:8px}
.remark{color:var(--soft)}
.files{list-style:none;display:flex;flex-wrap:wrap;gap:6px 20px;padding:0;margin:14px 0 0;font-size:14px}
@media (max-width:720px){body{padding:28px 18px 64px}.top{flex-direction:column;gap:24px}
.maps img{width:140px}.legend{max-width:140px}section{margin-top:56px}.stage+.stage::before{display:none}
.flow{gap:24px}.arithmetic th{width:auto}}
@media print{body{max-width:none;padding:0}section{break-inside:avoid-page}details{border:0}}
"""
