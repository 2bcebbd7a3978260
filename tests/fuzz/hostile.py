"""SVGs that want to read files, reach a network, or take all memory and time: drawn at random from known tricks.

`hostile` gives the same text for the same seed. Every file and host that one names has `BAIT` in its name, so that any
opening of one can be told from what Python and the renderer open for themselves.
"""

from __future__ import annotations

import random
from collections.abc import Callable

BAIT = "layervec-bait"  # in the names of all files and hosts that are referred to
NAMES = (
    'xmlns="http://www.w3.org/2000/svg" xmlns:s="http://www.w3.org/2000/svg" xmlns:t="http://example.org/t"'
    ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xi="http://www.w3.org/2001/XInclude"'
    ' xmlns:h="http://www.w3.org/1999/xhtml" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
)
KEYS = ["href", "xlink:href", "s:href", "t:href", "HREF", "src", "s:src", "xml:base", "inkscape:href", "data-href"]
DRAWN = [
    "image",
    "use",
    "feImage",
    "tref",
    "textPath",
    "a",
    "pattern",
    "linearGradient",
    "radialGradient",
    "mask",
    "filter",
    "cursor",
    "script",
    "foreignObject",
    "animate",
    "mpath",
    "marker",
    "style",
    "color-profile",
    "font-face-uri",
    "s:image",
    "t:image",
    "xi:include",
    "h:img",
    "h:iframe",
    "switch",
    "symbol",
]
CHAINED = {
    "mask": "mask",
    "clip-path": "clipPath",
    "fill": "pattern",
    "stroke": "pattern",
    "filter": "filter",
    "marker-end": "marker",
    "href": "g",
    "xlink:href": "symbol",
}
NUMBERS = [
    "0",
    "-1",
    "1e-9",
    "1e5",
    "1e6",
    "1e7",
    "1e9",
    "1e30",
    "1e308",
    "1e400",
    "nan",
    "inf",
    "9" * 60,
    "50%",
    "1e5%",
    "1e4in",
    "0.0001",
    "3",
    "17",
    "100",
]
PROPERTIES = [
    "fill",
    "stroke",
    "mask",
    "clip-path",
    "filter",
    "marker",
    "marker-mid",
    "cursor",
    "src",
    "background",
    "font-family",
    "-x",
    "transform",
    "d",
    "content",
    "stroke-dasharray",
    "font",
]
STEPS = [
    "feGaussianBlur",
    "feTurbulence",
    "feMorphology",
    "feConvolveMatrix",
    "feImage",
    "feTile",
    "feFlood",
    "feOffset",
    "feComposite",
    "feDisplacementMap",
    "feDiffuseLighting",
    "feColorMatrix",
    "feMerge",
]
SHAPES = '<rect id="r" width="60" height="50" fill="#36c"/><path id="k" d="M1 1h70v60h-70z" fill="tan"/>'


class _Hostile:
    def __init__(self, seed: int, folder: str) -> None:
        self.dice = random.Random(seed)
        self.folder = folder

    def one(self, *choices: str) -> str:
        return self.dice.choice(choices)

    def number(self) -> str:
        return self.dice.choice(NUMBERS)

    def link(self) -> str:
        """Return what leads out of the file, or within it."""
        file = f"{self.folder}/{BAIT}.{self.one('png', 'svg', 'css', 'ttf', 'zero')}"
        plain = self.one(
            file,
            f"file://{file}",
            f"FILE:{file}",
            f"{BAIT}.png",
            f"../{BAIT}.svg#a",
            f"http://{BAIT}.invalid/a.png",
            f"//{BAIT}.invalid/a",
            f" {file}",
            f"&#10;{file}",
            f"&#x2F;{file[1:]}",
            f"{file}#a",
            f"#{file}",
            "#a",
            "#r",
            "#c0",
            f"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'%3E%3Cimage href='{file}'/%3E%3C/svg%3E",
            f"data:image/png,&lt;svg xmlns='http://www.w3.org/2000/svg'>&lt;image href='{file}'/>&lt;/svg>",
            "data:image/png;base64,iVBORw0KGgo=",
            f"data:text/css,@import '{file}'",
            f"javascript:{BAIT}",
            "",
            "#",
        )
        return plain.replace("/", "%2F") if self.dice.random() < 0.05 else plain

    def css_link(self) -> str:
        link = self.link()
        word = self.one("url", "URL", "uRl", r"\75rl", r"u\72 l", "u/**/rl", "image-set", "attr", "var", "src", "url ")
        mark = self.one("", '"', "'") if "'" not in link else ""
        return f"{word}({self.one('', ' ', '/**/')}{mark}{link}{mark}{self.one(')', ' )', '', '#f)')}"

    def declaration(self) -> str:
        value = self.one(
            self.css_link(), self.css_link(), self.number(), f"scale({self.number()})", "{", "}", "/*", "a;b"
        )
        return f"{self.dice.choice(PROPERTIES)}{self.one(':', ' : ', '')}{value}"

    def sheet(self) -> str:
        file = self.link()
        return self.one(
            f'@import "{file}";',
            f"@import url({file});",
            rf"@\69mport '{file}';",
            f"@IMPORT '{file}'",
            "<!-- a{} -->",
            f"@font-face{{font-family:x;src:{self.css_link()}}}text{{font-family:x}}",
            f"@media all{{*{{{self.declaration()}}}}}",
            f"*{{{self.declaration()};{self.declaration()}}}",
            f"rect/**/{{{self.declaration()}",
            f"<![CDATA[*{{fill:{self.css_link()}}}]]>",
        )

    def reference(self) -> str:
        kind, key = self.dice.choice(DRAWN), self.dice.choice(KEYS)
        inner = self.sheet() if kind == "style" else self.one("", "", SHAPES, "x")
        quoted = self.link().replace('"', "&quot;")
        return f'<{kind} width="80" height="60" {key}="{quoted}">{inner}</{kind}>'

    def styled(self) -> str:
        style = (
            ";".join(self.declaration() for _ in range(self.dice.randint(1, 3))).replace('"', "&quot;").replace("<", "")
        )
        key, link = self.dice.choice(PROPERTIES), self.css_link().replace('"', "&quot;").replace("<", "")
        return f'<rect width="70" height="60" style="{style}"/><g {key.strip("-")}="{link}">{SHAPES}</g>'

    def style(self) -> str:
        return f"<style>{self.sheet()}{self.sheet()}</style>"

    def chain(self) -> str:
        """Return things that refer to the next, a few or very many, once or several times, in line or in a ring."""
        key, kind = self.dice.choice(list(CHAINED.items()))
        length, times = self.dice.choice([(3, 1), (40, 1), (300, 1), (3000, 1), (12, 8), (5, 40), (30, 2)])
        ring = self.dice.random() < 0.2

        def use(number: int) -> str:
            target = f"#c{number % length if ring else number}"
            if "href" in key:
                return f'<use {key}="{target}"/>' * times
            link = f"{self.one('url', 'URL')}({target})"
            how = self.one(f'{key}="{link}"', f'style="{key}:{link}"')
            return f'<path d="M0 0L9 9L0 9" {how}/>' * times

        return "".join(f'<{kind} id="c{n}" width="9" height="9">{use(n + 1)}</{kind}>' for n in range(length)) + use(0)

    def pattern(self) -> str:
        units = self.one("userSpaceOnUse", "objectBoundingBox")
        view = self.one("", f'viewBox="0 0 {self.number()} {self.number()}"', 'viewBox="0 0 1e-3 1e-3"')
        return (
            f'<pattern id="p" patternUnits="{units}" width="{self.number()}" height="{self.number()}" {view}'
            f' patternTransform="scale({self.number()})">{SHAPES}</pattern>'
            f'<g transform="{self.one("scale", "translate", "rotate")}({self.number()})">'
            f'<rect width="90" height="70" fill="url(#p)"/></g>'
        )

    def filter(self) -> str:
        steps = "".join(
            f'<{self.dice.choice(STEPS)} stdDeviation="{self.number()}" radius="{self.number()}"'
            f' numOctaves="{self.number()}"'
            f' baseFrequency="{self.number()}" order="{self.number()}" {self.dice.choice(KEYS)}="{self.link()}"/>'
            for _ in range(self.dice.choice([1, 2, 5, 15, 400]))
        )
        how = self.one('filter="url(#f)"', 'style="filter:url(#f)"', 'filter="blur(9999px)"', 'class="f"')
        region = f'x="{self.number()}" width="{self.number()}" height="{self.number()}"'
        return f'<filter id="f" {region} filterUnits="userSpaceOnUse">{steps}</filter>' + f"<g {how}>{SHAPES}</g>" * 3

    def numbers(self) -> str:
        data = "".join(f"{self.one(*'MLHVCSQTAZmlhvcsqtaz')}{self.number()} {self.number()}," for _ in range(30))
        return (
            f'<path d="M1 1{data}" stroke="red" stroke-width="{self.number()}" stroke-dasharray="{self.number()}"/>'
            f'<text font-size="{self.number()}" dx="{self.number()}">Aa</text><svg viewBox="0 0 {self.number()}'
            f' {self.number()}" width="{self.number()}">{SHAPES}</svg>'
            f'<circle r="{self.number()}" cx="{self.number()}"/>'
        )

    def many(self) -> str:
        count = self.dice.choice([10, 90, 200, 3000])
        group = f'<g opacity=".5" {self.one("", "mask", "id")}="a">'
        return (
            group * count + SHAPES + "</g>" * count if self.dice.random() < 0.5 else (group + SHAPES + "</g>") * count
        )

    def prolog(self) -> str:
        file = f"{self.folder}/{BAIT}.svg"
        laughs = '<!ENTITY a "aaaaaaaaaa">' + "".join(
            f'<!ENTITY {y} "{f"&{x};" * 10}">' for x, y in zip("abcdef", "bcdefg", strict=True)
        )
        return self.one(
            *[""] * 12,
            f'<?xml-stylesheet href="{file}" type="text/css"?>',
            f'<!DOCTYPE svg SYSTEM "{file}">',
            f'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://{BAIT}.invalid/x.dtd">',
            f"<!DOCTYPE svg [{laughs}]>",
            f'<!DOCTYPE svg [<!ENTITY x SYSTEM "{file}">]>',
            f'<!DOCTYPE svg [<!ENTITY % x SYSTEM "{file}"> %x;]>',
            f'<!DOCTYPE svg [<!ATTLIST image href CDATA "{file}">]>',
            '<?xml version="1.0" encoding="UTF-16"?>',
        )

    def document(self) -> str:
        parts: list[Callable[[], str]] = [
            *[self.reference] * 4,
            *[self.styled] * 3,
            *[self.style] * 2,
            self.chain,
            self.pattern,
            self.filter,
            self.numbers,
            self.many,
        ]
        body = "".join(self.dice.choice(parts)() for _ in range(self.dice.randint(1, 4)))
        size = self.one(*['viewBox="0 0 100 80"'] * 6, f'viewBox="0 0 {self.number()} 9"', 'width="1e4in" height="9"')
        base = self.one("", "", f'xml:base="{self.folder}/"', f'href="{self.link()}"')
        return f'{self.prolog()}<svg {NAMES} {size} {base}>{SHAPES}<g id="a">{body}</g></svg>'


def hostile(seed: int, folder: str) -> str:
    """Return an SVG that names files of a folder; see the top of this file."""
    return _Hostile(seed, folder).document()
