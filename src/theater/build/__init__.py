"""Makes components of actors' sources: what stands behind `theater build`.

A project is a folder with a `manifest.toml` and Python modules. The manifest's handlers decide the
world, so that a component asks for what it is granted and no more. componentize-py does the work, in
a process of its own; it is not reproducible, so nothing is built again unless its inputs changed.

    project      what is to be built: manifest, entry module, sources, dependencies
    wit          the WIT package, assembled from the files beside the handlers, and the world
    imports      late imports, which would fail at run time
    staging      the folders that componentize-py reads, and the digest of all inputs
    toolchain    componentize-py, and its errors told with the user's file and line
    pin          component and component_sha256 written into manifests, as an edit of the text
"""

from theater.build.builder import BuildResult, build

__all__ = ["BuildResult", "build"]
