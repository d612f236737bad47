"""Programs with the headers of a host, compiled once per module."""

from __future__ import annotations

import pytest
from host_programs import (
    COMPILERS,
    NO_COMPILER,
    PROGRAMS,
    SANITIZED,
    STRICT,
    compile_program,
    front_end,
    write_host,
)


@pytest.fixture(scope="session")
def end():
    return front_end()


@pytest.fixture(scope="session")
def headers(tmp_path_factory, end):
    """Return a folder with the C++ files of a bundle."""
    return write_host(tmp_path_factory.mktemp("host") / "bundle", end)


@pytest.fixture(scope="session")
def programs(headers):
    """Return a function that compiles a program once per session: by compiler, name and flags."""
    created = {}

    def program(name, flags=SANITIZED, compiler=None):
        if not COMPILERS:
            pytest.skip(NO_COMPILER)
        key = (compiler or COMPILERS[0], name, flags)
        if key not in created:
            path = headers.parent / f"program-{len(created)}"
            source = PROGRAMS / f"{name}.cpp"
            created[key] = compile_program(key[0], source, path, *flags, "-I", headers)
        return created[key]

    return program


@pytest.fixture(scope="session")
def optimized():
    """Return the flags of a release build."""
    return (*STRICT, "-O2")
