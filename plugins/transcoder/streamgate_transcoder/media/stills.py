"""Single pictures: from a decoded frame to one that is upright and of standard range, and on to a JPEG file."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import av.error
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from streamgate.contracts.media import MediaCorrupt, NotMedia
from streamgate.contracts.pictures import kind_of_still

from .deinterlacing import deinterlaced
from .limits import MediaLimits
from .opening import check_size
from .orientation import Turner, orientation_of
from .tone import ToneMapper

_QUALITY = "4"  # of libav's 2 (best) to 31: about 85 in the scale others use
_MATRICES = {1: Colorspace.ITU709, 5: Colorspace.ITU601, 6: Colorspace.SMPTE170M, 7: Colorspace.SMPTE240M}
_CODECS = {"jpeg": "mjpeg", "png": "png", "webp": "webp"}  # libav's names of them


class Shaper:
    """Makes frames of any kind pictures of one size, in the colours that a JPEG file has (JFIF: BT.601, full range), or
    a WebP file (BT.601, video range).

    Args:
        pixel_format: `yuvj420p` for JPEG, `yuv420p` for WebP.
    """

    def __init__(self, width_px: int, height_px: int, pixel_format: str = "yuvj420p") -> None:
        self._size = (width_px, height_px)
        self._format = pixel_format
        self._turner = Turner()
        self._mapper = ToneMapper(width_px, height_px)
        self._reformatter = VideoReformatter()

    def shape(self, frame: VideoFrame) -> VideoFrame:
        if frame.interlaced_frame:
            frame = next((whole for _, whole in deinterlaced([(0, frame)])), frame)
        frame = self._mapper.map(self._turner.turn(frame, orientation_of(frame)))
        is_rgb = frame.format.is_rgb
        is_full_range = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj") or is_rgb
        guess = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
        return self._reformatter.reformat(
            frame,
            *self._size,
            self._format,
            src_colorspace=None if is_rgb else _MATRICES.get(frame.colorspace, guess),
            dst_colorspace=Colorspace.ITU601,
            interpolation=Interpolation.AREA,
            src_color_range=ColorRange.JPEG if is_full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG if self._format.startswith("yuvj") else ColorRange.MPEG,
            threads=1,
        )


def jpeg_of(picture: VideoFrame) -> bytes:
    """The file, of a picture as a `Shaper` gives it."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj420p"
    encoder.time_base = picture.time_base = Fraction(1, 25)
    encoder.color_range = ColorRange.JPEG
    encoder.thread_count = 1
    encoder.options = {"qmin": _QUALITY, "qmax": _QUALITY, "huffman": "optimal"}
    picture.pts = 0
    picture.pict_type = PictureType.I
    return b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))


def decode_still(data: bytes, limits: MediaLimits) -> VideoFrame:
    """The picture in a JPEG, PNG or WebP file, as it is stored.

    Raises:
        NotMedia: it is none of the three.
        MediaTooLarge: more pixels than allowed.
        MediaCorrupt: it cannot be decoded.
    """
    kind = kind_of_still(data)
    if kind is None:
        raise NotMedia("it is no JPEG, PNG or WebP picture")
    decoder: Any = av.CodecContext.create(_CODECS[kind], "r")  # the stub has the base class alone
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(limits.max_pixels)}
    try:
        frames = [*decoder.decode(Packet(data)), *decoder.decode(None)]
    except MemoryError:
        raise
    except av.error.FFmpegError as fault:
        if decoder.width and decoder.height:
            check_size(decoder.width, decoder.height, limits)
        raise MediaCorrupt("the picture cannot be decoded: it is damaged, cut off or too large") from fault
    found = next((frame for frame in frames if isinstance(frame, VideoFrame)), None)
    if found is None:
        raise MediaCorrupt("the picture cannot be decoded")
    check_size(found.width, found.height, limits)
    found.time_base = Fraction(1, 25)
    return found


def shown_size(frame: VideoFrame) -> tuple[int, int]:
    """Width and height once it is upright."""
    if orientation_of(frame).is_transposed:
        return frame.height, frame.width
    return frame.width, frame.height
