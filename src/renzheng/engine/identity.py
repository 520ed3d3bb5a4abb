"""One person from the first frame to the last: a chain of faces, of which each is like the next.

A face that turns aside resembles its own frontal view less and less, and in the end hardly more than a stranger does;
but it resembles the frame just before. So two frames show one person where they are alike, or where the frames between
them lead from one to the other without a break. An exchange of people is a break, however far aside it happens.

Only what is needed is looked at: the frame in the middle between two that are not alike, and so on, until all of a way
is alike or two neighbours are not.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from .embedding import align, cosine
from .landmarks import Mesh
from .limits import ContinuityLimits
from .observation import FaceModels
from .runtimes import Floats, Image

T = TypeVar("T")
Looking = Generator[list[int], Sequence[Image | None], T]
"""Yields indices of frames whose pictures it needs, and receives them; None for an unfit one."""


class Faces:
    """The aligned faces of a sequence's frames by index, with their embeddings, each computed once."""

    def __init__(self, models: FaceModels) -> None:
        self._models = models
        self._embeddings: dict[int, Floats] = {}
        self.aligned: dict[int, Image] = {}

    def keep(self, index: int, image: Image, mesh: Mesh) -> None:
        self.aligned[index] = align(image, mesh.five_points)

    def know(self, index: int, embedding: Floats) -> None:
        """Store an embedding that was computed elsewhere."""
        self._embeddings[index] = embedding

    def embedding(self, index: int) -> Floats | None:
        """Return the embedding; None without a picture of this face."""
        if index not in self._embeddings and index in self.aligned:
            self._embeddings[index] = self._models.embedder.embed_aligned(self.aligned[index])
        return self._embeddings.get(index)

    def like(self, first: Floats, indices: Iterable[int]) -> list[float]:
        """Return the cosine to ``first`` of each face of which there is a picture."""
        found = (self.embedding(index) for index in indices)
        return [cosine(first, one) for one in found if one is not None]


class Chain:
    """Follows one person through a sequence. ``meshes``: of the frames that may be links, by index."""

    def __init__(self, faces: Faces, meshes: Mapping[int, Mesh], limits: ContinuityLimits) -> None:
        self._faces, self._meshes, self._limit = faces, dict(meshes), limits.link
        self._left = limits.looks

    def weakest(self, stations: Sequence[int]) -> Looking[float | None]:
        """Return the weakest link from the first of these frames to the last, through all; None without two frames.

        It is not below the limit if one person is seen throughout. Links after the first break are not examined.
        """
        known = [index for index in sorted(set(stations)) if self._faces.embedding(index) is not None]
        weakest: float | None = None
        for first, second in pairwise(known):
            link = yield from self._link(first, second)
            weakest = link if weakest is None else min(weakest, link)
            if weakest < self._limit:
                break
        return weakest

    def _link(self, first: int, second: int) -> Looking[float]:
        """Return the cosine of both, or the weakest link of the way between them if that is stronger."""
        direct = self._cosine(first, second)
        if direct >= self._limit:
            return direct
        middle = yield from self._between(first, second)
        if middle is None:
            return direct
        way = yield from self._link(first, middle)
        if way >= self._limit:
            way = min(way, (yield from self._link(middle, second)))
        return max(direct, way)

    def _cosine(self, first: int, second: int) -> float:
        one, other = self._faces.embedding(first), self._faces.embedding(second)
        return cosine(one, other) if one is not None and other is not None else -1.0

    def _between(self, first: int, second: int) -> Looking[int | None]:
        """Return the frame in the middle between both; None if they are neighbours, or the budget of looks is used
        up."""
        way = [index for index in self._meshes if first < index < second]
        for index in sorted(way, key=lambda index: (abs(2 * index - first - second), index)):
            if self._faces.embedding(index) is None and self._left > 0:
                self._left -= 1
                (image,) = yield [index]
                if image is not None:
                    self._faces.keep(index, image, self._meshes[index])
            if self._faces.embedding(index) is not None:
                return index
        return None
