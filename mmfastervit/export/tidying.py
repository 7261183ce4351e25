"""Making a traced program smaller, without a change to what it computes.

By onnxscript's passes and rules, but not by all that its own ``optimize`` takes (0.7):
``SlicesSplit`` compares every node with every other, which takes minutes where there are ten
thousand; and those that fuse limits of a value name the new limits after the value, so that a graph
where this is done twice has lost one.
"""

from typing import Any

_ROUNDS = 2


def tidy(model: Any) -> None:
    """Fold what is constant in a model of onnx_ir, and take out what does nothing."""
    from onnx_ir.passes import Sequential, common
    from onnxscript import optimizer, rewriter

    for _ in range(_ROUNDS):
        optimizer.fold_constants(model, onnx_shape_inference=True)
        optimizer.remove_unused_nodes(model)
        rewriter.rewrite(model, _rules())
    Sequential(
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.DeduplicateInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
        common.RemoveUnusedNodesPass(),
        common.OutputFixPass(),
        common.NameFixPass(),
    )(model)


def _rules() -> list[Any]:
    from onnxscript.rewriter.rules import common

    return [
        common.add_0_rule,
        common.sub_0_rule,
        common.mul_by_1_rule,
        common.div_by_1_rule,
        common.dropout_inference_rule,
        common.dropout_zero_rule,
        common.cast_cast_rule,
        common.no_op_cast_rule,
        common.no_op_expand_rule,
        common.no_op_transpose_rule,
        common.transpose_transpose_rule,
        common.unsqueeze_unsqueeze_rule,
        common.squeeze_reshape_1d_rule,
        common.flatten_to_reshape_rule,
        common.reshape_reshape_rule,
        common.materialize_reshape_shape_rule,
        common.collapse_slice_rule,
        common.collapse_slice2_rule,
        common.cast_constant_of_shape_rule,
        common.cast_constant_of_shape_without_value_rule,
        common.one_reshape_matmul_reshape_rule,
        common.two_reshapes_matmul_reshape_rule,
        common.no_op_dynamic_scatter_nd_rule,
        common.no_op_static_scatter_nd_rule,
        common.normalize_pad_format_conv_rule,
        common.fuse_pad_into_conv_rule,
        common.fuse_batchnorm_into_conv_rule,
        common.fuse_batchnorm_into_conv_transpose_rule,
        common.fuse_batchnorm_into_gemm_rule,
        common.remove_optional_bias_from_conv_rule,
        common.remove_optional_bias_from_conv_transpose_rule,
        common.remove_optional_bias_from_gemm_rule,
    ]
