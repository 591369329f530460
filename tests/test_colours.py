"""Colours can be told from paper and from each other, by colour-blind readers too."""

import itertools

import numpy as np
import pytest

from selfdana_lite import LEADS
from selfdana_lite.explore import CLASS_COLOURS, LEAD_COLOURS, LEAD_DASHES, class_colours
from selfdana_lite.explore.colours import FAINT, INK

# What is left of a colour in linear RGB without one kind of cone (Machado, Oliveira and Fernandes 2009, severity 1).
VISION = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
XYZ_OF_RGB = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]])
every_vision = pytest.mark.parametrize("vision", VISION)


def linear_rgb(colour):
    """sRGB "#rrggbb" to light intensities [3] from 0 to 1."""
    encoded = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def contrast_on_white(colour):
    """WCAG 2.2: 1 for white itself, 21 for black."""
    return 1.05 / (XYZ_OF_RGB[1] @ linear_rgb(colour) + 0.05)


def cielab(colour, vision):
    xyz = XYZ_OF_RGB @ np.clip(np.array(VISION[vision]) @ linear_rgb(colour), 0, 1) / XYZ_OF_RGB.sum(axis=1)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def nearest(colours, vision):
    """The smallest distance between two of the colours (CIE 1976; about 2 can just be told apart side by side)."""
    return min(np.linalg.norm(cielab(one, vision) - cielab(other, vision)) for one, other in itertools.combinations(colours, 2))


def test_the_measures_agree_with_known_values():
    assert contrast_on_white("#ffffff") == pytest.approx(1)
    assert contrast_on_white("#000000") == pytest.approx(21)
    assert contrast_on_white("#767676") == pytest.approx(4.54, abs=0.01)  # the lightest grey that WCAG takes for words
    np.testing.assert_allclose(cielab("#ff0000", "usual"), [53.24, 80.09, 67.2], atol=0.05)
    for vision in VISION:
        np.testing.assert_allclose(cielab("#ffffff", vision), [100, 0, 0], atol=0.01)  # white stays white
    assert nearest(["#c80000", "#5a7800"], "usual") > 60 > 20 > nearest(["#c80000", "#5a7800"], "deuteranopia")


@pytest.mark.parametrize("colour", [*LEAD_COLOURS.values(), *CLASS_COLOURS.values()])
def test_lines_stand_out_from_paper(colour):
    assert contrast_on_white(colour) >= 3


@pytest.mark.parametrize("colour", [INK, FAINT])
def test_words_stand_out_from_paper(colour):
    assert contrast_on_white(colour) >= 4.5


@every_vision
def test_classes_are_far_apart(vision):
    assert nearest(CLASS_COLOURS.values(), vision) > 45


@every_vision
def test_leads_of_one_dash_are_far_apart_and_others_differ(vision):
    assert set(LEAD_COLOURS) == set(LEAD_DASHES) == set(LEADS)
    for dash in ("solid", "dot"):
        assert nearest([LEAD_COLOURS[lead] for lead in LEADS if LEAD_DASHES[lead] == dash], vision) > 30
    assert nearest(LEAD_COLOURS.values(), vision) > 15


def test_a_class_keeps_its_colour_and_others_take_what_is_free():
    assert class_colours(["MI", "NORM"]) == {"MI": CLASS_COLOURS["MI"], "NORM": CLASS_COLOURS["NORM"]}
    mixed = class_colours(["AF", "MI", "PVC"])
    assert mixed["MI"] == CLASS_COLOURS["MI"]
    assert len(set(mixed.values())) == 3
    assert class_colours([*CLASS_COLOURS, "AF"])["AF"] == FAINT
