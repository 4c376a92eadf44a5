#!/usr/bin/env python3
"""Holds the source against rules that neither the compiler nor clang-tidy knows; .ci/run calls it.

dependencies   a library includes its own headers and those of libraries that its CMakeLists.txt names under DEPENDS; a program,
               which puts libraries together, also what those bring along, and everybody packages that they bring; nobody
               names a library that libs/CMakeLists.txt adds after it
functions      no function is longer than FUNCTION_LINES_MAX
coroutines     what CONTRIBUTING.md says of g++ 12, as far as a text shows it: rules (a), (b) and (c)

Prints one line for each breach, FILE:LINE: what is wrong. Exit status 1 if there is any. `--self-test` breaks each rule on
purpose and fails if that is not found.
"""

import dataclasses
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUNCTION_LINES_MAX = 60

# Where the headers of packages come from: the CMake target that a user of them names.
PACKAGES = {
    "boost/json": "Boost::json", "CLI": "CLI11::CLI11", "curl": "CURL::libcurl", "fmt": "fmt::fmt", "hiredis": "PkgConfig::HIREDIS",
    "hiredis.h": "PkgConfig::HIREDIS", "libpq-fe.h": "PkgConfig::POSTGRES", "openssl": "OpenSSL::",
    "prometheus": "prometheus-cpp::core", "sodium.h": "PkgConfig::SODIUM",
    "sqlite3.h": "PkgConfig::SQLITE", "utf8proc.h": "PkgConfig::UTF8PROC", "zlib.h": "ZLIB::ZLIB",
}


@dataclasses.dataclass
class Target:
    name: str
    folder: pathlib.Path
    sources: set
    tests: set
    depends: list
    test_depends: list

    def owns(self, file, targets):
        """A source that it names, or a header in its folder that is in no folder of another target below it."""
        if file in self.sources or file in self.tests:
            return True
        beside = [other for other in targets if other.folder == self.folder and other.name.startswith("switchyard_")]
        if file.suffix != ".hpp" or not file.is_relative_to(self.folder) or self not in (beside or [self]):
            return False
        deeper = (other.folder for other in targets if other.folder != self.folder and other.folder.is_relative_to(self.folder))
        return not any(file.is_relative_to(folder) for folder in deeper)


def read_targets(root):
    """Libraries in the order in which they are added, then the services."""
    targets = []
    order = re.findall(r"^add_subdirectory\((\S+)\)", (root / "libs/CMakeLists.txt").read_text(), re.M)
    folders = [root / "libs" / name for name in order] + sorted(path.parent for path in root.glob("services/*/CMakeLists.txt"))
    for folder in folders:
        for part in [*sorted(path.parent for path in folder.glob("*/CMakeLists.txt")), folder]:
            targets += targets_of(part)
    return targets


def targets_of(folder):
    text = (folder / "CMakeLists.txt").read_text()
    for kind, name, arguments in re.findall(r"switchyard_(library|program)\((\S+)([^)]*)\)", text):
        groups, group = {}, None
        for word in arguments.split():
            if re.fullmatch("SOURCES|DEPENDS|TESTS|TEST_DEPENDS|TEST_NEEDS_POSTGRES|TEST_HAS_THREADS", word):
                group = groups.setdefault(word, [])
            elif group is not None:
                group.append(word.strip('"'))
        yield Target("switchyard_" + name if kind == "library" else name, folder,
                     {folder / file for file in groups.get("SOURCES", [])}, {folder / file for file in groups.get("TESTS", [])},
                     groups.get("DEPENDS", []), groups.get("TEST_DEPENDS", []))


def check_order(targets):
    seen = set()
    for target in targets:
        if not target.name.startswith("switchyard_"):
            continue
        for name in target.depends:
            if name.startswith("switchyard_") and name not in seen:
                yield target.folder / "CMakeLists.txt", 1, f"{target.name} depends on {name}, which is added after it"
        seen.add(target.name)


def brought_along(names, targets):
    """The names with all that they depend on."""
    found, open_names = set(), list(names)
    while open_names:
        name = open_names.pop()
        if name not in found:
            found.add(name)
            open_names += next((target.depends for target in targets if target.name == name), [])
    return found


def may_include(target, file, targets):
    named = {target.name, *target.depends, *(target.test_depends if file in target.tests else [])}
    everything = brought_along(named, targets)
    is_program = not target.name.startswith("switchyard_")
    return everything if is_program else named | {name for name in everything if not name.startswith("switchyard_")}


def check_includes(root, targets):
    folders = [root / "libs", root / "services"]
    for target in targets:
        files = sorted(target.sources | target.tests | set(target.folder.rglob("*.hpp")))
        for file in (file for file in files if file.exists() and target.owns(file, targets)):
            allowed = may_include(target, file, targets)
            for number, line in enumerate(file.read_text().splitlines(), 1):
                included = re.match(r'#include (["<])([^">]+)[">]', line)
                if not included:
                    continue
                needed = owner_of(included[2], folders, targets) if included[1] == '"' else package_of(included[2])
                if needed and not any(name.startswith(needed) for name in allowed):
                    yield file, number, f"{target.name} includes {included[2]} of {needed} and does not name it under DEPENDS"


def owner_of(name, folders, targets):
    for folder in folders:
        file = folder / name
        if file.exists():
            owners = [target.name for target in targets if target.owns(file, targets) and target.name.startswith("switchyard_")]
            return owners[0] if owners else None
    return None


def package_of(name):
    return next((target for prefix, target in PACKAGES.items() if name == prefix or name.startswith(prefix + "/")), None)


def blank_out(text):
    """The text with comments, strings and characters as blanks, so that brackets can be counted; lines stay lines."""
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.S)


def closing(text, opened):
    """The position of the bracket that closes the one at `opened`."""
    depth = 0
    for position in range(opened, len(text)):
        depth += (text[position] in "([{") - (text[position] in ")]}")
        if depth == 0:
            return position
    return len(text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_functions(file, text):
    """A body is what stands in braces after the ")" of a parameter list, outside of all other bodies."""
    position = 0
    for found in re.finditer(r"\)\s*(?:const|noexcept|override|final|mutable|->[^;{}=]*|:[^;{}]*(?:\{[^{}]*\}[^;{}]*)*|\s)*\{", text):
        if found.start() < position:
            continue
        opened = found.end() - 1
        position = closing(text, opened)
        lines = line_of(text, position) - line_of(text, opened) + 1
        if lines > FUNCTION_LINES_MAX:
            yield file, line_of(text, opened), f"a function of {lines} lines; at most {FUNCTION_LINES_MAX}"


def check_coroutines(file, text):
    for found in re.finditer(r"\b(?:if|while|switch)\s*(?:constexpr\s*)?\(", text):
        condition = text[found.end():closing(text, found.end() - 1)]
        condition = condition.rsplit(";", 1)[-1].strip()
        if "co_await" in condition and not is_awaited_alone(condition):
            yield file, line_of(text, found.start()), "an awaited value in a condition: name it first (CONTRIBUTING, (b))"
    for found in re.finditer(r"\bswitch\s*\(", text):
        body = text.find("{", closing(text, found.end() - 1))
        if "co_await" in text[body:closing(text, body)]:
            yield file, line_of(text, found.start()), "an await inside a switch: decide first (CONTRIBUTING, (f))"
    for found in re.finditer(r"\bco_await\b[^;{}]*[(,]\s*\{", text):
        yield file, line_of(text, found.start()), "a braced temporary in an awaited call: name it first (CONTRIBUTING, (a))"
    for found in re.finditer(r"\b(?:co_spawn|spawn)\(", text):
        arguments = text[found.end():closing(text, found.end() - 1)]
        if re.search(r"\}\s*\(\s*\)", arguments):
            yield file, line_of(text, found.start()), "an invoked lambda is spawned: give the callable (CONTRIBUTING, (c))"


def is_awaited_alone(condition):
    """`co_await f(...)` or `!co_await f(...)` and nothing else, or a declaration whose value is tested."""
    declared = re.match(r"(?:const\s+)?auto&?\s+\w+\s*=\s*", condition)
    rest = condition[declared.end():] if declared else condition
    rest = re.sub(r"\s+", " ", rest)
    if not rest.lstrip("!").startswith("co_await "):
        return False
    depth = 0
    for position, character in enumerate(rest):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and re.match(r"&&|\|\||==|!=|<=|>=|[?+|]| [<>] ", rest[position:]):
            return False
    return True


def check_text(file, text):
    blanked = blank_out(text)
    yield from check_functions(file, blanked)
    yield from check_coroutines(file, blanked)


def check(root):
    targets = read_targets(root)
    yield from check_order(targets)
    yield from check_includes(root, targets)
    for file in sorted([*root.glob("libs/**/*.?pp"), *root.glob("services/**/*.?pp")]):
        if not file.name.endswith("_test.cpp"):
            yield from check_text(file, file.read_text())


def self_test():
    wrong = {
        "function": "void f() {\n" + "g();\n" * FUNCTION_LINES_MAX + "}\n",
        "condition": "void f() { if (co_await next() == 1) g(); }\n",
        "temporary": "void f() { co_await g({.a = 1}); }\n",
        "switch": "void f() { switch (kind) { case 1: co_await g(); } }\n",
        "invoked": "void f() { tasks.spawn([this]() -> Task<void> { co_await run(); }()); }\n",
    }
    right = [
        "void f() {\n" + "g();\n" * (FUNCTION_LINES_MAX - 2) + "}\n",
        "void f() { if (!co_await next()) g(); }\n",
        'void f() { if (const auto a = co_await next(); a == 1) g("co_await x({"); }\n',
        "void f() { tasks.spawn([this]() -> Task<void> { co_await run(); }); }\n",
    ]
    missed = [name for name, text in wrong.items() if not list(check_text("x.cpp", text))]
    missed += [f"{text!r} is right" for text in right if list(check_text("x.cpp", text))]
    base = Target("switchyard_base", ROOT / "libs/base", set(), set(), ["switchyard_store"], [])
    if not list(check_order([base])):
        missed.append("order")
    everything = read_targets(ROOT)
    for target in everything:
        target.depends = []
    if not list(check_includes(ROOT, everything)):
        missed.append("dependencies")
    return missed


def main():
    if "--self-test" in sys.argv:
        missed = self_test()
        print("\n".join(f"not found: {name}" for name in missed) or "each rule is found broken where it is broken")
        return bool(missed)
    breaches = list(check(ROOT))
    for file, line, text in breaches:
        print(f"{file.relative_to(ROOT)}:{line}: {text}")
    if not breaches:
        print("dependencies, functions, coroutines: no findings")
    return bool(breaches)


if __name__ == "__main__":
    sys.exit(main())
