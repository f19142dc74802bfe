"""From HDR (PQ or HLG, BT.2020) to what every screen shows (BT.709), by libavfilter alone.

Each of red, green and blue goes through one curve: its light in cd/m², with everything above 95 rolled off so that
1,000 comes out as white (ITU-R BT.2390-11 5.4, the knee towards a screen of 203 cd/m²); then the primaries are
changed in linear light, and gamma is put on (BT.1886). Masters brighter than 1,000 cd/m² lose what is above.
"""

from __future__ import annotations

from fractions import Fraction

import av.filter
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from .info import Colour

# SMPTE ST 2084.
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
# ARIB STD-B67; its picture on a screen of 1,000 cd/m² (ITU-R BT.2100).
_A, _B, _C, _SYSTEM_GAMMA = 0.17883277, 0.28466892, 0.55991073, 1.2

_MASTER_NITS, _SCREEN_NITS = 1000.0, 203.0

_TO_BT709 = (
    "rr=1.660491:rg=-0.587641:rb=-0.072850:gr=-0.124550:gg=1.132900:gb=-0.008349:br=-0.018151:bg=-0.100579:bb=1.118730"
)


def is_hdr(frame: VideoFrame) -> bool:
    return Colour(transfer=frame.color_trc).is_hdr


class ToneMapper:
    """Makes HDR frames SDR, at a size of its own; others pass through untouched."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._size = f"{width_px}:{height_px}"
        self._graph: av.filter.Graph | None = None
        self._made_for: tuple[int, int, str, int, int] | None = None

    def map(self, frame: VideoFrame) -> VideoFrame:
        if not is_hdr(frame):
            return frame
        made_for = (frame.width, frame.height, frame.format.name, frame.color_trc, frame.color_range)
        if self._graph is None or self._made_for != made_for:
            self._graph, self._made_for = self._graph_for(frame), made_for
        pts, time_base = frame.pts, frame.time_base
        self._graph.vpush(frame)
        mapped = self._graph.vpull()
        mapped.pts, mapped.time_base = pts, time_base
        mapped.color_trc, mapped.color_primaries = ColorTrc.BT709, ColorPrimaries.BT709
        mapped.colorspace, mapped.color_range = Colorspace.ITU709, ColorRange.MPEG
        return mapped

    def _graph_for(self, frame: VideoFrame) -> av.filter.Graph:
        curve = f"65535*{light_of(frame.color_trc)}"
        gamma = f"65535*pow(val/65535,{1 / 2.4})"
        seen = "pc" if frame.color_range == ColorRange.JPEG else "tv"
        graph = av.filter.Graph()
        graph.threads = 1
        graph.link_nodes(
            graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base or Fraction(1, 1000),
            ),
            graph.add("scale", f"{self._size}:flags=bicubic:in_color_matrix=bt2020:in_range={seen}"),
            graph.add("format", "gbrp16le"),
            graph.add("lutrgb", r=curve, g=curve, b=curve),
            graph.add("colorchannelmixer", _TO_BT709),
            graph.add("lutrgb", r=gamma, g=gamma, b=gamma),
            graph.add("scale", "out_color_matrix=bt709:out_range=tv"),
            graph.add("format", "yuv420p10le"),
            graph.add("buffersink"),
        ).configure()
        return graph


def light_of(transfer: int) -> str:
    """libav's expression for the light (0 to 1 of the SDR screen's) of a 16-bit value `val` of PQ or HLG."""
    code = "val/65535" if transfer == ColorTrc.SMPTE2084 else _pq_code(_hlg_light("val/65535"))
    master, screen = _pq_number(_MASTER_NITS), _pq_number(_SCREEN_NITS)
    white = screen / master
    knee = 1.5 * white - 0.5
    share = f"min(1,({code})/{master})"
    along = f"((ld(0)-{knee})/{1 - knee})"
    bend = (
        f"((2*pow({along},3)-3*pow({along},2)+1)*{knee}"
        f"+(pow({along},3)-2*pow({along},2)+{along})*{1 - knee}"
        f"+(3*pow({along},2)-2*pow({along},3))*{white})"
    )
    bent = f"st(0,{share});st(1,pow({master}*if(lt(ld(0),{knee}),ld(0),{bend}),{1 / _M2}));"
    # One expression must come out: `st` gives what it stored, so the last one stands after the semicolons.
    return f"({bent}min(1,{10_000 / _SCREEN_NITS}*pow(max(ld(1)-{_C1},0)/({_C2}-{_C3}*ld(1)),{1 / _M1})))"


def _hlg_light(value: str) -> str:
    """In units of 10,000 cd/m²."""
    scene = f"if(lte({value},0.5),pow({value},2)/3,(exp(({value}-{_C})/{_A})+{_B})/12)"
    return f"{_MASTER_NITS / 10_000}*pow({scene},{_SYSTEM_GAMMA})"


def _pq_code(light: str) -> str:
    return f"(st(2,pow({light},{_M1}));pow(({_C1}+{_C2}*ld(2))/(1+{_C3}*ld(2)),{_M2}))"


def _pq_number(nits: float) -> float:
    raised = (nits / 10_000) ** _M1
    return float(((_C1 + _C2 * raised) / (1 + _C3 * raised)) ** _M2)
