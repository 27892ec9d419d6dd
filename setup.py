"""Builds the compiled core; everything else stands in pyproject.toml.

The package lists are written here because two installed names live in folders of other
names: `vanban_bench` in bench/, `vanban_client` in bindings/.
"""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

COMPILE = ["-O3", "-g0", "-fvisibility=hidden", "-Wno-unused-function"]


def extensions() -> list[Extension]:
    """Name one extension for each .pyx below router/."""
    return [
        Extension(
            ".".join(source.with_suffix("").parts),
            [str(source)],
            extra_compile_args=COMPILE,
        )
        for source in sorted(Path("router").rglob("*.pyx"))
    ]


def packages() -> tuple[list[str], dict[str, str]]:
    """List the packages and the folders of those not named after their folder."""
    names = find_packages(include=["router", "router.*"])
    names += ["vanban_bench", *("vanban_bench." + p for p in find_packages("bench"))]
    names += find_packages("bindings", include=["vanban_client*"])
    folders = {"vanban_bench": "bench", "vanban_client": "bindings/vanban_client"}
    return names, folders


_names, _folders = packages()
setup(
    packages=_names,
    package_dir=_folders,
    package_data={
        "router": ["py.typed", "*.pyi", "**/*.pyi", "*.pxd", "**/*.toml"],
        "vanban_bench": ["py.typed", "data/*", "data/**/*"],
        "vanban_client": ["py.typed"],
    },
    exclude_package_data={"": ["*.c", "*.pyx"]},
    ext_modules=cythonize(
        extensions(),
        language_level=3,
        annotate=False,
        build_dir="build/cython",
        compiler_directives={
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
        },
    ),
)
