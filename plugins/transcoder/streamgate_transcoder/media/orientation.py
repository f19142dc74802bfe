"""Which way up: the display matrix of a frame, and a filter that turns the pixels accordingly."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import attrs
import av.filter
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame


@attrs.frozen(kw_only=True)
class Orientation:
    """How stored pixels must be moved for display: mirrored along the diagonal first, then flipped."""

    is_transposed: bool = False
    flips_x: bool = False
    flips_y: bool = False

    @property
    def rotation_deg(self) -> int:
        """Clockwise turn; of mirrored pictures, the turn beside the mirroring."""
        if self.is_transposed:
            return 90 if self.flips_x else 270
        return 180 if self.flips_y else 0


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """From the frame's display matrix, turns rounded to quarters; upright where there is none.

    The matrix (ISO/IEC 14496-12 6.2.2) is nine int32 a b u c d v x y w: x' = a·x + c·y, y' = b·x + d·y.
    """
    # The stub calls it a dict; it is a mapping from kinds to buffers.
    data: Mapping[Any, Any] = frame.side_data
    if Type.DISPLAYMATRIX not in data:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data[Type.DISPLAYMATRIX])[:36])
    if abs(b) > abs(a):
        return Orientation(is_transposed=True, flips_x=c < 0, flips_y=b < 0)
    return Orientation(flips_x=a < 0, flips_y=d < 0)


class Turner:
    """Turns frames of one size and format; upright ones pass through untouched."""

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._made_for: tuple[Orientation, int, int, str] | None = None

    def turn(self, frame: VideoFrame, orientation: Orientation) -> VideoFrame:
        if orientation == UPRIGHT:
            return frame
        made_for = (orientation, frame.width, frame.height, frame.format.name)
        if self._graph is None or self._made_for != made_for:
            self._graph, self._made_for = _graph_for(frame, orientation), made_for
        pts, time_base = frame.pts, frame.time_base
        self._graph.vpush(frame)
        turned = self._graph.vpull()
        turned.pts, turned.time_base = pts, time_base
        return turned


def _graph_for(frame: VideoFrame, orientation: Orientation) -> av.filter.Graph:
    graph = av.filter.Graph()
    graph.threads = 1
    nodes = [
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
        )
    ]
    if orientation.is_transposed:
        nodes.append(graph.add("transpose", "cclock_flip"))
    if orientation.flips_x:
        nodes.append(graph.add("hflip"))
    if orientation.flips_y:
        # It only turns the line order round; a copy gives lines that lie as everybody expects.
        nodes += [graph.add("vflip"), graph.add("copy")]
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph
