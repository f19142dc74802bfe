"""Which decoders a source may reach, by libav's names: what cameras, phones, editors and recorders write.

libav has about five hundred; most are of games, screen recorders and still pictures, read by nobody for years.
"""

from __future__ import annotations

_VIDEO = (
    *("h264", "hevc", "libdav1d", "av1", "vp8", "vp9", "libvpx", "libvpx-vp9"),
    *("mpeg1video", "mpeg2video", "mpegvideo", "mpeg4", "h263", "vc1", "theora", "mjpeg", "dvvideo"),
    *("prores", "dnxhd", "cfhd", "ffv1", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "rawvideo", "v210"),
)
_AUDIO = (
    *(
        "aac",
        "aac_latm",
        "mp3",
        "mp3float",
        "mp2",
        "mp2float",
        "mp1",
        "mp1float",
        "ac3",
        "eac3",
        "dca",
        "truehd",
        "mlp",
    ),
    *("opus", "libopus", "vorbis", "flac", "alac", "wavpack", "tta", "s302m", "speex"),
    *("amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt"),
    *("pcm_alaw", "pcm_mulaw", "pcm_bluray", "pcm_dvd", "pcm_u8", "pcm_s8", "pcm_f32le", "pcm_f32be", "pcm_f64le"),
    *("pcm_f64be", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be"),
)
_TEXT = ("ass", "ssa", "srt", "subrip", "mov_text", "webvtt", "text")

DECODERS = frozenset((*_VIDEO, *_AUDIO, *_TEXT))
