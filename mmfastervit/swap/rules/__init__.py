"""The rules of the swap, in the order in which they run: one file a subject.

A rule looks at a :class:`~mmfastervit.swap.context.Context` and returns its
:class:`~mmfastervit.swap.context.Outcome`; it knows nothing of the other rules.
"""

from collections.abc import Callable

from mmfastervit.swap.context import Context, Outcome

from . import backbone, images, optimizer, readers, weights

Rule = Callable[[Context], Outcome]

RULES: list[Rule] = [images.rule, backbone.rule, readers.rule, weights.rule, optimizer.rule]


def register_rule(rule: Rule) -> Rule:
    """Let a rule of one's own run after the package's; usable as a decorator.

    Example, for a config whose preprocessor pads images to whole windows::

        from mmfastervit.swap import Change, Outcome

        @mmfastervit.register_rule
        def pad_to_windows(context):
            path = ("model", "data_preprocessor", "pad_size_divisor")
            was = context.section(*path[:-1]).get(path[-1])
            return Outcome([Change(path, was, 224, "whole windows")])
    """
    if rule not in RULES:
        RULES.append(rule)
    return rule
