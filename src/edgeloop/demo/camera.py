"""How a camera takes a drawing: light of the hall, blur, noise, and the size of the picture."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from edgeloop.demo.raster import Plane, blurred, grain, plane, rise, scaled
from edgeloop.types import ImageArray

DRAWN_AT = 2
"""A picture is drawn at this many times its size."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One shot: ``gain`` 1.0 is well lit; ``warmth`` > 0 is yellow, < 0 blue; ``gradient`` is how
    much darker one side is than the other; blurs in pixels of the picture; ``noise`` is the
    deviation at mid grey; ``arm_shadow`` is the darkness of a robot's arm in the light, 0 is none.
    """

    gain: float
    warmth: float
    gradient: float
    blur_px: float
    motion_px: float
    noise: float
    arm_shadow: float


def take(drawing: Plane, camera: Camera, rng: np.random.Generator) -> ImageArray:
    """The picture of ``drawing`` (height, width, 3), at half its size, uint8 RGB."""
    small = (drawing.shape[0] // DRAWN_AT, drawing.shape[1] // DRAWN_AT)
    picture = plane(cv2.resize(drawing, small[::-1], interpolation=cv2.INTER_AREA))
    picture *= _illumination(small, camera, rng)[..., None]
    picture *= camera.gain * _balance(camera.warmth)
    picture = _smeared(picture, camera, rng)
    picture = _bent(picture)
    picture += _sensor_noise(picture, camera.noise, rng)
    return np.asarray(np.clip(picture * 255.0 + 0.5, 0, 255), dtype=np.uint8)


def _balance(warmth: float) -> Plane:
    return plane((1.0 + warmth, 1.0 + 0.15 * abs(warmth), 1.0 - warmth))


def _illumination(shape: tuple[int, int], camera: Camera, rng: np.random.Generator) -> Plane:
    """Uneven light: a pool below the lamp, a darker side, corners, and an arm in the way."""
    y = plane(np.linspace(-0.75, 0.75, shape[0]))[:, None]
    x = plane(np.linspace(-1.0, 1.0, shape[1]))[None, :]
    pool_x, pool_y = rng.uniform(-0.4, 0.4), rng.uniform(-0.3, 0.3)
    pool = 0.10 * np.exp(-1.6 * ((x - pool_x) ** 2 + (y - pool_y) ** 2))
    turn = rng.uniform(0, 2 * math.pi)
    side = (x * math.cos(turn) + y * math.sin(turn)) / 1.1
    fall = 1.0 - camera.gradient * (rise(-1.0, 1.0, plane(side)) - 0.25)
    corners = 1.0 - 0.13 * (x**2 + y**2)
    light = (0.98 + pool) * fall * corners
    if camera.arm_shadow:
        light = light * (1.0 - camera.arm_shadow * _arm(shape, rng))
    return plane(light)


def _arm(shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    """The soft shadow of an arm that reaches in from an edge: two links, a wrist, two fingers."""
    height, width = shape
    mask = np.zeros(shape, dtype=np.float32)
    heading = rng.uniform(0, 2 * math.pi)
    reach = 0.75 * math.hypot(height, width)
    centre = np.array((width / 2, height / 2))
    start = centre - reach * np.array((math.cos(heading), math.sin(heading)))
    thickness = int(rng.integers(34, 56))
    for share in (0.62, 0.42):
        heading += rng.normal(0, 0.35)
        end = start + share * reach * np.array((math.cos(heading), math.sin(heading)))
        cv2.line(mask, _pixel(start), _pixel(end), 1.0, thickness)
        cv2.circle(mask, _pixel(end), int(thickness * 0.62), 1.0, -1)
        start, thickness = end, int(thickness * 0.72)
    for finger in (-0.5, 0.5):
        tip = start + 34 * np.array((math.cos(heading + finger), math.sin(heading + finger)))
        cv2.line(mask, _pixel(start), _pixel(tip), 1.0, max(thickness // 3, 5))
    return blurred(mask, rng.uniform(3.0, 7.0))


def _pixel(point: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def _smeared(picture: Plane, camera: Camera, rng: np.random.Generator) -> Plane:
    """Out of focus, and moved along the belt while the shutter was open."""
    if camera.blur_px > 0.3:
        picture = blurred(picture, camera.blur_px * 0.7)
    if camera.motion_px < 1.5:
        return picture
    size = 2 * math.ceil(camera.motion_px / 2) + 3
    turn = rng.normal(0, 0.18)
    at = np.arange(size, dtype=np.float32) - size // 2
    along = at[None, :] * math.cos(turn) + at[:, None] * math.sin(turn)
    across = at[:, None] * math.cos(turn) - at[None, :] * math.sin(turn)
    kernel = np.clip(camera.motion_px / 2 + 0.5 - np.abs(along), 0, 1)
    kernel = kernel * np.clip(1.0 - np.abs(across), 0, 1)
    kernel /= kernel.sum()
    return plane(cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE))


def _bent(picture: Plane) -> Plane:
    """Bright lights fade into white instead of being cut off."""
    over = np.maximum(picture - 0.75, 0.0)
    return plane(picture - over + over / (1.0 + 1.6 * over))


def _sensor_noise(picture: Plane, deviation: float, rng: np.random.Generator) -> Plane:
    """Grain that grows with the light, partly alike in all colours, and faint coloured blotches."""
    shape = (picture.shape[0], picture.shape[1])
    grey = grain(rng, shape)[..., None]
    noise = 0.75 * grey + 0.6 * grain(rng, picture.shape)
    blotch = scaled(grain(rng, (shape[0] // 4, shape[1] // 4, 3)), shape)
    strength = deviation * (0.55 + 0.7 * np.sqrt(np.clip(picture, 0.0, 1.0)))
    return plane((noise + 0.25 * blotch) * strength)
