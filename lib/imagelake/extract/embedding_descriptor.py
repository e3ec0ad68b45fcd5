"""The `descriptor` model: 512 numbers of colour, gradient and frequency, from numpy alone.

In: uint8 RGB of 128 x 128 pixels. Out: float32 of 512. No weights, no semantics: it sees that two pictures
share colours, layout, edges and texture, not what they show.

Let R, G, B be the sums over 2 x 2 pixels (64 x 64 of them), and Y = R + 2G + B, Co = R - B, Cg = 2G - R - B
the luma and the two chroma of YCoCg (Malvar & Sullivan 2003, JVT-I014). ``unit(x) = x / sqrt(|x|^2 + floor^2)``
makes a block comparable, and the floor keeps noise of a flat picture from being blown up to a full block.

======== ===== ====== =====================================================================================
values   count weight block
======== ===== ====== =====================================================================================
0-124    125   0.30   joint histogram of (Y, Co, Cg), 5 x 5 x 5 nodes, each pixel shared between its 8
                      neighbouring nodes by trilinear weights (after Swain & Ballard 1991); chroma on a square-
                      root scale, for natural colours crowd around grey; sqrt(h / sum h), so that the dot
                      product is the Bhattacharyya coefficient (Arandjelovic & Zisserman 2012, section 2)
125-172  48    0.12   colour layout: means of Y, Co, Cg on a 4 x 4 grid less the global mean (after the Colour
                      Layout Descriptor of MPEG-7, ISO/IEC 15938-3, 6.6)
173-181  9     0.05   colour moments of Y, Co, Cg: mean, standard deviation, third moment over variance
                      (after Stricker & Orengo 1995)
182-309  128   0.18   orientation histograms of the gradient on a 4 x 4 grid with 8 unsigned directions, linear
                      weights in direction and place (Dalal & Triggs 2005, 6.3); sqrt(h / sum h) (6.4, L1-sqrt)
310-368  59    0.08   uniform local binary patterns LBP(8,1), one value for all non-uniform ones (Ojala,
                      Pietikainen & Maenpaa 2002, section 2.3)
369-398  30    0.09   the rotation-invariant uniform patterns (same, equation 9) at 128, 64 and 32 pixels
399-461  63    0.10   DCT-II of Y, 8 x 8 lowest frequencies without the mean, sign(c) * sqrt(|c|) (the idea of
                      perceptual hashing: Zauner 2010, section 3.2.1)
462-511  50    0.08   energy of the same DCT in 10 rings x 5 directions, sqrt(e / sum e) (a power spectrum in
                      polar bins: Gonzalez & Woods, Digital Image Processing, 3rd ed., 11.3.3)
======== ===== ====== =====================================================================================

Every block has a norm of at most 1, times the square root of its weight: the cosine of two vectors is nearly
the weighted mean of the cosines of their blocks. What could jump (bins, comparisons) is computed in integers,
also where floats carry them exactly; the rest in float64 and rounded to 6 decimals: the same on every machine.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imagelake.errors import UsageError
from imagelake.extract.embedding_blocks import (
    colour_histogram,
    colour_layout,
    colour_moments,
    dct,
    gradients,
    halved,
    invariant_bins,
    low_frequencies,
    patterns_of,
    polar_energy,
    shares_of,
    uniform_bins,
)
from imagelake.extract.embedding_preprocess import Preprocess
from imagelake.extract.embedding_spec import ModelCard, digest_of

SIDE_PX = 128
DIMENSION = 512
LAYOUT_VERSION = 1  # raise it whenever a formula changes: it is part of model_id
PREPROCESS = Preprocess(
    size_px=SIDE_PX, resize="squash", interpolation="bilinear", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
)

_CHUNK = 16  # pictures at a time: the working set stays within a core's cache


class Descriptor:
    """The classical descriptor as an `EmbeddingModel`."""

    model_id = "descriptor:classical/v1@" + digest_of({"layout": LAYOUT_VERSION}, PREPROCESS)
    dimension = DIMENSION
    preprocess = PREPROCESS

    @property
    def card(self) -> ModelCard:
        """What the driver needs to know; twice the size, so that a reduced decode costs no accuracy."""
        return ModelCard(
            model_id=self.model_id,
            dimension=DIMENSION,
            preprocess=PREPROCESS,
            min_side_px=2 * SIDE_PX,
            needs_full_decode=False,
        )

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe uint8 RGB (n, 128, 128, 3) as float32 (n, 512).

        Raises:
            ValueError: the pixels have another shape or type.
        """
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (SIDE_PX, SIDE_PX, 3):
            raise ValueError(f"descriptor takes uint8 (n, 128, 128, 3), not {pixels.dtype} {pixels.shape}")
        out = np.empty((len(pixels), DIMENSION), np.float32)
        for start in range(0, len(pixels), _CHUNK):
            out[start : start + _CHUNK] = _describe(pixels[start : start + _CHUNK])
        return out

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Refuse: there is no text side.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"descriptor cannot embed text {list(texts)}: --text needs an open_clip model")


def _describe(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """All blocks of a chunk, (n, 512)."""
    half = halved(pixels.astype(np.int32))  # sums over 2 x 2 pixels, 0..1020
    red, green, blue = half[..., 0], half[..., 1], half[..., 2]
    planes = np.stack([red + 2 * green + blue, red - blue, 2 * green - red - blue], axis=1)  # (n, 3, 64, 64)
    luma = planes[:, 0]
    fine = pixels[..., 0].astype(np.int32) + 2 * pixels[..., 1].astype(np.int32) + pixels[..., 2]
    patterns = [patterns_of(fine, 4), patterns_of(luma, 16), patterns_of(halved(luma[..., None])[..., 0], 64)]
    spectrum = dct(luma)
    blocks = [
        (0.30, colour_histogram(planes)),
        (0.12, colour_layout(planes)),
        (0.05, colour_moments(planes)),
        (0.18, gradients(luma)),
        (0.08, np.sqrt(shares_of(patterns[1] @ uniform_bins()))),
        (0.09, np.sqrt(np.concatenate([shares_of(p @ invariant_bins()) for p in patterns], axis=1) / 3.0)),
        (0.10, low_frequencies(spectrum)),
        (0.08, polar_energy(spectrum)),
    ]
    vectors = np.concatenate([np.sqrt(weight) * values for weight, values in blocks], axis=1)
    return np.round(vectors, 6).astype(np.float32)
