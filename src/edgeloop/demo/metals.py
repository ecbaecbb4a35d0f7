"""What parts are made of, and how their metal answers the light."""

import math
from dataclasses import dataclass

import numpy as np

from edgeloop.demo.parts import Relief
from edgeloop.demo.raster import Plane, blurred, cloud, grain, plane, rise, slopes


@dataclass(frozen=True, slots=True)
class Light:
    """One lamp and what is mirrored beside it; (x, y, z) points from the belt to the lamp."""

    x: float
    y: float
    z: float
    stripe_angle: float

    @classmethod
    def from_angles(cls, around: float, above: float, stripe_angle: float) -> "Light":
        """A lamp ``around`` the image (radians, 0 is right) and ``above`` the horizon."""
        flat = math.cos(above)
        return cls(flat * math.cos(around), flat * math.sin(around), math.sin(above), stripe_angle)


@dataclass(frozen=True, slots=True)
class Material:
    """A surface: RGB colour, mirror ``gloss``, depth of ``brush`` marks, ``patina``, ``rust``."""

    name: str
    colour: tuple[float, float, float]
    gloss: float
    brush: float
    patina: float
    rust: float = 0.0


STEEL = Material("steel", (0.62, 0.64, 0.66), gloss=1.0, brush=0.075, patina=0.035)
ZINC = Material("zinc", (0.735, 0.72, 0.67), gloss=0.8, brush=0.05, patina=0.06)
BRASS = Material("brass", (0.80, 0.59, 0.22), gloss=1.0, brush=0.06, patina=0.06)
BLACK_OXIDE = Material("black oxide", (0.165, 0.165, 0.175), gloss=0.7, brush=0.05, patina=0.08)
RUST = Material("rust", (0.56, 0.50, 0.45), gloss=0.35, brush=0.05, patina=0.10, rust=0.85)

_RUST_DARK, _RUST_BRIGHT = plane((0.40, 0.20, 0.12)), plane((0.92, 0.50, 0.23))


def shaded(relief: Relief, material: Material, light: Light, rng: np.random.Generator) -> Plane:
    """The colours of a part's window under ``light`` (height, width, 3)."""
    normal = _normal(relief)
    rusty = _rust(relief, material, rng)
    gloss = material.gloss * (1.0 - 0.85 * rusty)
    matt, mirrored = _answer(relief, normal, light)
    marks = 1.0 + material.brush * _brushing(relief, rng) * (1.0 - rusty)
    marks = marks + material.patina * cloud(rng, relief.height.shape, cell_px=(9, 9))
    body = (matt + gloss * mirrored) * marks * relief.shade * _hollows(relief)
    glint = 0.16 * gloss * np.maximum(mirrored - 0.45, 0.0)
    colour = _surface_colour(material, rusty, rng)
    return plane(np.maximum(colour * body[..., None] + glint[..., None], 0.0))


def _normal(relief: Relief) -> tuple[Plane, Plane, Plane]:
    right, down = slopes(relief.height)
    z = 1.0 / np.sqrt(1.0 + right * right + down * down)
    return plane(-right * z), plane(-down * z), plane(z)


def _answer(
    relief: Relief, normal: tuple[Plane, Plane, Plane], light: Light
) -> tuple[Plane, Plane]:
    """Diffuse light, and what a metal mirrors: the hall, a bright stripe, the lamp in the marks."""
    nx, ny, nz = normal
    facing = np.maximum(nx * light.x + ny * light.y + nz * light.z, 0.0) / light.z
    mirror_x, mirror_y, mirror_z = 2 * nz * nx, 2 * nz * ny, 2 * nz * nz - 1
    hall = 0.08 + 0.20 * rise(-0.5, 1.0, plane(mirror_z))
    side = mirror_x * math.cos(light.stripe_angle) + mirror_y * math.sin(light.stripe_angle)
    stripe = 0.55 * rise(0.30, 0.55, side) * rise(0.98, 0.75, side)
    window = 0.22 * rise(-0.35, -0.55, side) * rise(-0.95, -0.75, side)
    anisotropic = 0.52 * _along_marks(relief, normal, light)
    return plane(0.15 + 0.33 * facing), plane(hall + stripe + window + anisotropic)


def _along_marks(relief: Relief, normal: tuple[Plane, Plane, Plane], light: Light) -> Plane:
    """The lamp's reflection, drawn out across fine parallel marks."""
    half_z = light.z + 1.0
    length = math.sqrt(light.x**2 + light.y**2 + half_z**2)
    half_x, half_y, half_z = light.x / length, light.y / length, half_z / length
    nx, ny, nz = normal
    rim = (nx * relief.along_x + ny * relief.along_y) / np.maximum(nz, 0.2)
    along = (relief.along_x * half_x + relief.along_y * half_y - rim * half_z) / np.sqrt(1 + rim**2)
    facing = np.clip(nx * half_x + ny * half_y + nz * half_z, 0.0, 1.0)
    return plane(np.maximum(1.0 - along**2, 0.0) ** 26 * facing**2)


def _brushing(relief: Relief, rng: np.random.Generator) -> Plane:
    """Marks of machining: noise that changes across them only, and a little everywhere."""
    lines = grain(rng, (512,))
    return plane(lines[(relief.across * 0.9).astype(np.int32) % 512] * 0.8) + plane(
        0.45 * grain(rng, relief.across.shape)
    )


def _hollows(relief: Relief) -> Plane:
    """Corners get less of the hall's light, edges a little more."""
    depth = relief.height - blurred(relief.height, 3.5)
    return plane(np.clip(1.0 + 0.10 * depth, 0.55, 1.18))


def _rust(relief: Relief, material: Material, rng: np.random.Generator) -> Plane:
    """Where rust has eaten, 0..1."""
    if material.rust == 0.0:
        return plane(np.zeros_like(relief.height))
    patches = cloud(rng, relief.height.shape, cell_px=(11, 11))
    patches = patches + 0.5 * grain(rng, relief.height.shape)
    return rise(-2.2, -0.6, plane(patches + 1.6 * (material.rust - 0.8)))


def _surface_colour(material: Material, rusty: Plane, rng: np.random.Generator) -> Plane:
    tint = 1.0 + 0.010 * grain(rng, (3,))
    metal = plane(material.colour) * tint
    if material.rust == 0.0:
        return plane(metal)
    depth = cloud(rng, rusty.shape, cell_px=(6, 6)) * 0.28 + 0.45
    depth = np.clip(depth + 0.10 * grain(rng, rusty.shape), 0.0, 1.0)[..., None]
    crust = _RUST_DARK * (1.0 - depth) + _RUST_BRIGHT * depth
    share = rusty[..., None]
    return plane(metal * (1.0 - share) + crust * share)
