"""Reads the Prometheus text exposition format (version 0.0.4) strictly enough to catch a malformed one."""

import re

_SAMPLE = re.compile(r'^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>[^ ]+)(?: \d+)?$')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
_SUFFIXES = re.compile(r"(_bucket|_sum|_count)$")


def parse(text):
    """{family: (type, {(sample name, ((label, value), ...)): number})}; AssertionError where the text is not valid."""
    assert text.endswith("\n")
    types, samples = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"two TYPE lines for {name}"
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped"), line
            types[name] = kind
        elif line and not line.startswith("#"):
            match = _SAMPLE.match(line)
            assert match, f"no sample: {line!r}"
            labels = tuple(_LABEL.findall(match["labels"] or ""))
            assert ",".join(f'{name}="{value}"' for name,
                            value in labels) == (match["labels"] or "").rstrip(","), line
            key = (match["name"], labels)
            assert key not in samples, f"sample given twice: {line!r}"
            samples[key] = float(match["value"])
    families = {name: (kind, {}) for name, kind in types.items()}
    for key, value in samples.items():
        name = key[0] if key[0] in families else _SUFFIXES.sub("", key[0])
        assert name in families, f"{key[0]} has no TYPE"
        families[name][1][key] = value
    return families


def total(families, name, **labels):
    """The sum over all samples of a family that carry these labels."""
    wanted = set(labels.items())
    return sum(value for (_, sample_labels), value in families[name][1].items() if wanted <= set(sample_labels))
