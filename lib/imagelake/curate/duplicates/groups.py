"""Groups of duplicates: layers in, every member with its keeper out; what chains together does not stay together.

The best picture of all that the layers connect, directly or through others, is a keeper, and takes the pictures that a
layer calls alike with it itself. What is left over falls apart into what still connects, where the best picture is a
keeper again, and so on: A like B and B like C do not make A and C one group. That is the same as going through all
pictures from the best to the worst and letting each that is not yet taken take what is alike with it, which is what
happens here, in time proportional to the number of pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imagelake.curate.duplicates.pictures import Indices, Layer


@dataclass(frozen=True)
class Members:
    """Pictures that have a better duplicate, ascending.

    Attributes:
        member: (m,) picture numbers.
        keeper: (m,) the picture to keep in its stead, a lesser number.
        layer: (m,) number of the first layer that calls the two alike.
        distance: (m,) between the two themselves, by that layer.
    """

    member: Indices
    keeper: Indices
    layer: Indices
    distance: NDArray[np.float64]

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(np.unique(self.keeper))


def group_members(layers: Sequence[Layer], count: int) -> Members:
    """Settle every picture that a layer connects with another.

    Args:
        layers: the first that calls a member and its keeper alike is named.
        count: number of pictures.
    """
    graphs = [_Graph.of(layer, count) for layer in layers]
    settled = np.zeros(count, np.bool_)
    rows: list[tuple[Indices, int, int]] = []
    connected = np.unique(np.concatenate([np.empty(0, np.int64), *(graph.connected for graph in graphs)]))
    for keeper in connected.tolist():
        if settled[keeper]:
            continue
        settled[keeper] = True
        for number, graph in enumerate(graphs):
            alike = graph.taken_by(keeper)
            alike = alike[~settled[alike]]
            settled[alike] = True
            rows.append((alike, keeper, number))
    member = np.concatenate([np.empty(0, np.int64), *(alike for alike, _, _ in rows)])
    sizes = [len(alike) for alike, _, _ in rows]
    keepers = np.repeat(np.array([keeper for _, keeper, _ in rows], np.int64), sizes)
    numbers = np.repeat(np.array([number for _, _, number in rows], np.int64), sizes)
    order = np.argsort(member)
    return _measured(layers, member[order], keepers[order], numbers[order])


def _measured(layers: Sequence[Layer], member: Indices, keeper: Indices, number: Indices) -> Members:
    """Compare every member with its keeper.

    Raises:
        AssertionError: a layer takes back what it said: a bug.
    """
    distance = np.empty(len(member))
    for i, layer in enumerate(layers):
        distance[number == i] = layer.compare(member[number == i], keeper[number == i])
    assert np.isfinite(distance).all()  # noqa: S101
    return Members(member, keeper, number, distance)


@dataclass
class _Graph:
    """One layer: pictures by item, and items by the items that are near."""

    item: Indices
    connected: Indices
    members: "_Lists"
    near: "_Lists"
    is_done: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.is_done = np.zeros(len(self.item), np.bool_)

    @classmethod
    def of(cls, layer: Layer, count: int) -> "_Graph":
        compared = np.flatnonzero(layer.item >= 0)
        members = _Lists.of(layer.item[compared], compared, count)
        first, second = layer.near.first, layer.near.second
        near = _Lists.of(np.concatenate([first, second]), np.concatenate([second, first]), count)
        is_connected = (members.sizes > 1) | (near.sizes > 0)
        return cls(layer.item, compared[is_connected[layer.item[compared]]], members, near)

    def taken_by(self, keeper: int) -> Indices:
        """Pictures alike with this one, itself included; items that an earlier keeper has taken have nothing left."""
        own = self.item[keeper]
        if own < 0:
            return np.empty(0, np.int64)
        items = np.append(self.near[own], own)
        items = items[~self.is_done[items]]
        self.is_done[items] = True
        return np.concatenate([np.empty(0, np.int64), *(self.members[i] for i in items)])


@dataclass(frozen=True)
class _Lists:
    """For each of n numbers the values that go with it."""

    starts: Indices
    sizes: Indices
    values: Indices

    @classmethod
    def of(cls, keys: Indices, values: Indices, count: int) -> "_Lists":
        sizes = np.bincount(keys, minlength=count)
        return cls(np.cumsum(sizes) - sizes, sizes, values[np.argsort(keys, kind="stable")])

    def __getitem__(self, key: int) -> Indices:
        start = self.starts[key]
        return self.values[start : start + self.sizes[key]]
