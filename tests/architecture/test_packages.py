"""The packages of the server do not import each other in a circle, at any depth."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

import grimp


def imports() -> list[tuple[str, str]]:
    """Returns every import between two modules of the server."""
    graph = grimp.build_graph("server", exclude_type_checking_imports=True)
    return [(module, other) for module in graph.modules for other in graph.find_modules_directly_imported_by(module)]


def folded(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Mapping[str, set[str]]]:
    """Returns, by package, what each of its children imports of the others."""
    packages: dict[str, dict[str, set[str]]] = {}
    for importer, imported in pairs:
        here, there = importer.split("."), imported.split(".")
        depth = next((i for i, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), None)
        if depth is not None:
            children = packages.setdefault(".".join(here[:depth]), {})
            children.setdefault(here[depth], set()).add(there[depth])
    return packages


def circles(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Returns one circle for each package that has any."""
    found = []
    for package, children in folded(pairs).items():
        try:
            TopologicalSorter(children).prepare()
        except CycleError as error:
            found.append(f"{package}: {' → '.join(reversed(error.args[1]))}")
    return found


def test_packages_import_each_other_in_no_circle() -> None:
    pairs = imports()
    assert len(pairs) > 500, "the graph was not read"
    assert circles(pairs) == []


def test_a_circle_of_packages_without_one_of_modules_is_found() -> None:
    pairs = [("s.a.x", "s.b.x"), ("s.b.y", "s.c.z"), ("s.c.x", "s.a.y"), ("s.d.x", "s.a.x")]
    assert len(circles(pairs)) == 1
    assert circles(pairs[:2]) == []
