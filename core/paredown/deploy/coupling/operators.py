"""Which operator is followed how."""

from __future__ import annotations

from paredown.deploy.coupling import elementwise, layers, reducing, shaping
from paredown.deploy.coupling.trace import Handler

_PASSING = (
    "Abs Cast CastLike Ceil Celu Clip Cos Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN "
    "LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Tanh ThresholdedRelu"
)
_SPREADING = (
    "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow PRelu Sub Sum Where Xor"
)
_POOLING = "AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool Resize Upsample"
_REDUCTIONS = (
    "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare"
)

HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_PASSING.split(), elementwise.passing),
    **dict.fromkeys(_SPREADING.split(), elementwise.spreading),
    **dict.fromkeys(_POOLING.split(), reducing.pooling),
    **dict.fromkeys(_REDUCTIONS.split(), reducing.reduction),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization"), reducing.softmax),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), shaping.reshaping),
    **dict.fromkeys(("Slice", "Gather"), shaping.taking),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), layers.normalization),
    "Concat": shaping.concat,
    "Conv": layers.convolution,
    "ConvTranspose": layers.transposed_convolution,
    "Expand": shaping.expand,
    "GatherND": shaping.taking_points,
    "Gemm": layers.gemm,
    "LayerNormalization": layers.layer_normalization,
    "MatMul": layers.matmul,
    "Pad": reducing.padding,
    "Split": shaping.split,
    "Transpose": shaping.transpose,
}
