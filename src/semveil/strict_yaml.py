"""YAML that users write: no key twice, no endless aliases, numbers and truth values of YAML 1.2."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from semveil.errors import SemveilError
from semveil.reading import read_small

_MOST_BYTES = 1 << 18
_MOST_CHARACTERS = 1 << 20  # with every alias written out


class _Loader(yaml.SafeLoader):
    """PyYAML reads YAML 1.1, in which 0200 is 128, 1:30 is 90 and no is false."""

    # Null and the merge key stay; the rest follows below.
    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag.endswith((":null", ":merge"))]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _measure(node, {})
        return node

    def decimal(self, node: yaml.ScalarNode) -> int:
        text = str(self.construct_scalar(node)).lower()
        return int(text, 0 if text.lstrip("+-").startswith(("0x", "0o")) else 10)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
    )
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.decimal)


class _Dumper(yaml.SafeDumper):
    """Quotes what either version of YAML would not read as text."""

    yaml_implicit_resolvers = {
        first: [
            *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
            *_Loader.yaml_implicit_resolvers.get(first, []),
        ]
        for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}
    }


def dump(content: Any) -> str:
    """Return plain content as YAML that :func:`parse` reads as the same.

    Example:
        >>> print(dump({"name": "1e3", "share": 0.5}), end="")
        name: '1e3'
        share: 0.5
    """
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def parse(text: str, where: str) -> Any:
    """Return what a YAML text says.

    Args:
        text: The text.
        where: What errors call it.

    Raises:
        SemveilError: If it is not YAML, names a key twice, or is very long once every alias is
            written out.

    Example:
        >>> parse("{a: 0200, b: no, c: 1e-3}", "example")
        {'a': 200, 'b': 'no', 'c': 0.001}
    """
    try:
        # A subclass of the safe loader.
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SemveilError(f"{where}: not YAML: {' '.join(str(error).split())}") from None
    except SemveilError as error:
        raise SemveilError(f"{where}: {error}") from None


def read(path: Path, where: str) -> Any:
    """Return what a YAML file says; see :func:`parse`.

    Raises:
        SemveilError: If it cannot be read, too.
    """
    return parse(read_small(path, where, _MOST_BYTES), where)


def _measure(node: yaml.Node, known: dict[int, int]) -> int:
    """Return a node's length with every alias written out, and refuse what is no plain tree."""
    if isinstance(node, yaml.ScalarNode):
        return 1 + len(node.value)
    if id(node) in known:
        if known[id(node)] == 0:
            raise SemveilError(f"an alias within itself{_line(node)}")
        return known[id(node)]
    known[id(node)] = 0
    parts = [node.value] if isinstance(node, yaml.SequenceNode) else zip(*node.value, strict=True)
    if isinstance(node, yaml.MappingNode):
        _refuse_repeated(node)
    length = 1 + sum(_measure(inner, known) for part in parts for inner in part)
    if length > _MOST_CHARACTERS:
        raise SemveilError(f"more than {_MOST_CHARACTERS} characters once aliases are written out")
    known[id(node)] = length
    return length


def _refuse_repeated(node: yaml.MappingNode) -> None:
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if (key.tag, key.value) in seen:
                raise SemveilError(f"key '{key.value}' is there twice{_line(key)}: join the two")
            seen.add((key.tag, key.value))


def _line(node: yaml.Node) -> str:
    return "" if node.start_mark is None else f" (line {node.start_mark.line + 1})"
