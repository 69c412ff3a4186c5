"""The one measure of text: normalising, both lengths, slots and the limit.

"Under 140 characters" means at most `LIMIT` by BOTH measures of the final text, after slots are filled: NFC
code points, and the weighted length that X counts (twitter-text configuration v3). Nothing else in the product
measures text.
"""

from knowledge_base.wording.characters import (
    CleanText,
    UnusableText,
    clean_customer_text,
    normalise,
)
from knowledge_base.wording.length import LIMIT, Length, measure
from knowledge_base.wording.links import links_in, top_level_domains
from knowledge_base.wording.networks import (
    NETWORKS,
    NetworkLength,
    count_emoji,
    network_lengths,
)
from knowledge_base.wording.slots import (
    SLOTS,
    BadSlotValue,
    Filled,
    MalformedSlot,
    MissingSlotValue,
    Slot,
    Span,
    UnknownSlot,
    fill,
    slots_in,
    without_order_numbers,
    worst_case,
)

__all__ = [
    "LIMIT",
    "NETWORKS",
    "SLOTS",
    "BadSlotValue",
    "CleanText",
    "Filled",
    "Length",
    "MalformedSlot",
    "MissingSlotValue",
    "NetworkLength",
    "Slot",
    "Span",
    "UnknownSlot",
    "UnusableText",
    "clean_customer_text",
    "count_emoji",
    "fill",
    "links_in",
    "measure",
    "network_lengths",
    "normalise",
    "slots_in",
    "top_level_domains",
    "without_order_numbers",
    "worst_case",
]
