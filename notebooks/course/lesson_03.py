"""The self-checks of lesson 03, Dimension-Adaptive Pooling."""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

import selfdana_lite as sd
from course.checks import UNANSWERED, check_that
from course.pooling_lab import COUNTS, Bounds, empty_slots, slots_of
from selfdana_lite.adapter import slot_bounds


def check_bounds(bounds_of: Callable[[int, int], Bounds] | None) -> str:
    """Is this function (leads, slots) -> [(start, stop), ...] that of floor and ceil?"""
    if bounds_of is None:
        return UNANSWERED
    if not callable(bounds_of):
        return f"Not yet: a function of (leads, slots) is wanted, and this is a {type(bounds_of).__name__}."
    found = {}
    for leads, slots in itertools.product(COUNTS, COUNTS):
        try:
            found[leads, slots] = [(int(start), int(stop)) for start, stop in bounds_of(leads, slots)]
        except Exception as error:  # the student's own code may raise anything
            return f"Not yet: with {leads} leads and {slots} slots it raises {type(error).__name__}: {error}"
    right = {counts: slot_bounds(*counts) for counts in found}
    if all(found[counts] == [(start, stop - 1) for start, stop in bounds] for counts, bounds in right.items()):
        return "Not yet: each stop is the last lead that is pooled; Python's slices want the one after it."
    for (leads, slots), bounds in right.items():
        if found[leads, slots] != bounds:
            return f"Not yet: {leads} leads and {slots} slots: {_wrong_bounds(found[leads, slots], bounds, leads, slots)}."
    return "Right: for all 144 pairs of 1 to 12 leads and slots no slot is empty and no lead is left out."


def _wrong_bounds(found: Bounds, right: Bounds, leads: int, slots: int) -> str:
    if len(found) != slots:
        return f"found {len(found)} pairs, and every slot needs one"
    if empty_slots(found):
        slot = next(j for j, (start, stop) in enumerate(found) if start >= stop)
        return (
            f"slot {slot + 1} is {found[slot]}, which is empty. Its stop must be rounded up, so that it lies behind its start"
        )
    if any(stop > leads for _, stop in found):
        return f"a stop lies behind the last lead: {found}"
    if left_out := sorted(set(range(leads)) - {lead for start, stop in found for lead in range(start, stop)}):
        return f"lead {left_out[0]} (counted from 0) goes to no slot. A start must be rounded down, a stop up"
    return f"found {found}, expected {right}: the whole leads that overlap with the slot's stretch, and no others"


def check_pool(pool: Callable[[Tensor, int], Tensor] | None) -> str:
    """Does this function (maps [B, C, leads, T], slots) -> [B, C, slots, T] do what DimensionAdaptivePooling does?"""
    if pool is None:
        return UNANSWERED
    if not callable(pool):
        return f"Not yet: a function of (maps, slots) is wanted, and this is a {type(pool).__name__}."
    for leads, slots in ((4, 2), (4, 4), (1, 4), (6, 4), (3, 4), (2, 5), (12, 5)):
        maps = torch.randn(2, 3, leads, 5, generator=torch.Generator().manual_seed(0)) - 2  # mostly negative: 0 is no maximum
        untouched = maps.clone()
        try:
            pooled = pool(maps, slots)
        except Exception as error:  # the student's own code may raise anything
            return f"Not yet: with {leads} leads and {slots} slots it raises {type(error).__name__}: {error}"
        if not torch.equal(maps, untouched):
            return "Not yet: it changes the maps that it is given; write into a new tensor."
        if said := _wrong_pooled(pooled, maps, slots):
            return f"Not yet: {leads} leads and {slots} slots: {said}."
    return "Right: with loops, and the same numbers as the library's pooling."


def _wrong_pooled(pooled: object, maps: Tensor, slots: int) -> str:
    right = sd.DimensionAdaptivePooling(slots)(maps)
    if not isinstance(pooled, Tensor):
        return f"a tensor is wanted, and this is a {type(pooled).__name__}"
    if pooled.shape != right.shape:
        return f"the result has shape {list(pooled.shape)}; [B, C, slots, T] is {list(right.shape)}"
    if torch.allclose(pooled, right):
        return ""
    if torch.allclose(pooled, right.clamp(min=0)):
        return "negative numbers have become 0. Where you start from zeros, 0 takes part in the maximum"
    if torch.allclose(pooled, sd.DimensionAdaptivePooling(slots, op="mean")(maps)):
        return "this is the mean. DANA's own choice, and what is asked for here, is the maximum"
    if torch.allclose(pooled, sd.DimensionAdaptivePooling(slots, fill="tile")(maps)):
        return "the leads are repeated in turn (0 1 0 1). With slot_bounds they repeat beside themselves (0 0 1 1)"
    return "the numbers differ. Slot j is the maximum over the leads from start to stop - 1 of its bounds, at each time"


def check_place(places: object, lead: str, lead_sets: Sequence[str], slots: int) -> str:
    """Does {"4-lead": [slots], ...} say where a lead goes in each lead set?"""
    if places is None:
        return UNANSWERED
    if not isinstance(places, dict) or set(places) != set(lead_sets):
        return f"Not yet: write a dictionary with a list of slots for each of {', '.join(lead_sets)}."
    for name in lead_sets:
        right = slots_of(lead, sd.LEAD_SETS[name], slots)
        found = [places[name]] if isinstance(places[name], int) else list(places[name])
        slips = [
            (
                not all(isinstance(slot, int) for slot in found),
                f"{name}: slots are numbers, such as [1, 2]; found {places[name]!r}",
            ),
            (found == [slot - 1 for slot in right], f"{name}: the numbers are right from 0; here slots count from 1"),
            (
                set(found) < set(right),
                f"{name}: {lead} is in {_slots(found)}, but in another one, too. With {len(sd.LEAD_SETS[name])} leads some "
                f"lead must fill more than one of {slots} slots",
            ),
            (set(found) > set(right), f"{name}: {lead} does not reach every one of {_slots(found)}"),
        ]
        if slips[0][0] or sorted(found) != right:
            otherwise = f"{name}: not {_slots(found)}. Put the leads in a row and cut it into {slots} equal stretches"
            return check_that(found, False, "", slips, otherwise)
    told = "; ".join(f"{name}: {_slots(slots_of(lead, sd.LEAD_SETS[name], slots))}" for name in lead_sets)
    return f"Right: {told}. It is the same {lead}, and the layer behind the slots finds it in different places."


def _slots(numbers: Sequence[int]) -> str:
    return f"slot{'' if len(numbers) == 1 else 's'} {' and '.join(map(str, numbers)) or 'none'}"


def check_fills(example: object) -> str:
    """Do 'repeat' and 'tile' give different slots for (numbers, one a lead; slots)?"""
    if example is None:
        return UNANSWERED
    try:
        numbers, slots = example
        maps = torch.tensor([float(number) for number in numbers])[None, None, :, None]  # [1, 1, leads, 1]
        repeated, tiled = (sd.DimensionAdaptivePooling(slots, fill=fill)(maps).flatten() for fill in ("repeat", "tile"))
    except (TypeError, ValueError) as error:
        return f"Not yet: write ([a number for each lead], slots), for example ([1, 2], 2). Found {example!r}: {error}"
    leads = maps.shape[2]
    shown = f"repeat gives {_numbers(repeated)}, tile {_numbers(tiled)}"
    return check_that(
        example,
        not torch.equal(repeated, tiled),
        shown,
        [
            (leads == 1, f"{shown}. A single lead fills every slot, whichever way"),
            (leads >= slots, f"{shown}. {leads} leads fill {slots} slots without being repeated; take more slots than leads"),
            (len(set(numbers)) == 1, f"{shown}. All leads show the same number, so no one can tell which went where"),
        ],
        f"{shown}. Change the numbers so that their order can be seen",
    )


def _numbers(slots: Tensor) -> str:
    return " ".join(f"{number:g}" for number in slots.tolist())
