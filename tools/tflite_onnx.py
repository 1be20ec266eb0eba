"""A TensorFlow Lite graph as ONNX, for the few operators that small face networks are made of.

TensorFlow Lite keeps pictures as (n, h, w, c) and ONNX as (n, c, h, w), so weights, padding and axes are turned here
once and no transposition is left in the graph but before a reshape. Weights that are kept as float16 stay so and are
cast in the graph, which ONNX Runtime does once when it opens it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8
OPERATORS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
DTYPES = {
    tflite.TensorType.FLOAT32: np.dtype("<f4"),
    tflite.TensorType.FLOAT16: np.dtype("<f2"),
    tflite.TensorType.INT32: np.dtype("<i4"),
}


def to_onnx(content: bytes, outputs: Sequence[str]) -> onnx.ModelProto:
    """Reads a TensorFlow Lite model and writes the same network as ONNX.

    Args:
        content: The flat buffer.
        outputs: New names of its outputs, in their order. An output of one pixel, (n, 1, 1, c), becomes (n, c).

    Returns:
        A model with one input, `picture` float32 (n, c, h, w), n free.

    Raises:
        ValueError: The graph holds an operator or an option that is not known here.
    """
    model = tflite.Model.GetRootAs(content, 0)
    return _Conversion(model).run(outputs)


class _Conversion:
    """One model on its way; tensors are named t0, t1, ... after their place in the flat buffer."""

    def __init__(self, model: tflite.Model) -> None:
        self.model, self.graph = model, model.Subgraphs(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[TensorProto] = []
        self.halves: dict[int, int] = {}  # tensor -> the float16 constant that it is dequantised from

    def run(self, outputs: Sequence[str]) -> onnx.ModelProto:
        (source,) = self.graph.InputsAsNumpy().tolist()
        for i in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(i)
            name = OPERATORS[self.model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()]
            convert = getattr(self, f"_{name.lower()}", None)
            if convert is None:
                raise ValueError(f"operator {name} is not known")
            convert(operator, operator.InputsAsNumpy().tolist(), operator.OutputsAsNumpy().tolist()[0])
        results = []
        for tensor, name in zip(self.graph.OutputsAsNumpy().tolist(), outputs, strict=True):
            shape = self.shape(tensor)
            if len(shape) == 4:
                if shape[1:3] != [1, 1]:
                    raise ValueError(f"output {name} is a map of {shape}, expected one pixel or a list")
                self.node("Flatten", [f"t{tensor}"], name, axis=1)
                shape = [1, shape[3]]
            else:
                self.node("Identity", [f"t{tensor}"], name)
            results.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape[1:]]))
        _, height, width, channels = self.shape(source)
        picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", channels, height, width])
        for node in self.nodes:
            node.input[:] = ["picture" if name == f"t{source}" else name for name in node.input]
        graph = helper.make_graph(self.nodes, "network", [picture], results, self.weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="mtclar")
        made.ir_version = IR_VERSION
        onnx.checker.check_model(made, full_check=True)
        return made

    # What the operators need.

    def shape(self, tensor: int) -> list[int]:
        return self.graph.Tensors(tensor).ShapeAsNumpy().tolist()

    def constant(self, tensor: int) -> np.ndarray | None:
        """The values of a tensor that is part of the file, in its own type; None for one that is computed."""
        tensor = self.halves.get(tensor, tensor)
        held = self.graph.Tensors(tensor)
        buffer = self.model.Buffers(held.Buffer())
        if not buffer.DataLength():
            return None
        return np.frombuffer(buffer.DataAsNumpy().tobytes(), DTYPES[held.Type()]).reshape(self.shape(tensor))

    def weight(self, name: str, values: np.ndarray | None) -> str:
        """Adds a weight and returns its name."""
        if values is None:
            raise ValueError(f"weight {name} is computed, not stored")
        values = np.ascontiguousarray(values)
        if values.dtype != np.float16:
            self.weights.append(numpy_helper.from_array(values, name))
            return name
        self.weights.append(numpy_helper.from_array(values, f"{name}_half"))
        self.node("Cast", [f"{name}_half"], name, to=TensorProto.FLOAT)
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))

    def activated(self, output: int, function: int) -> str:
        """The name under which an operator writes, with the activation that is fused to it added after."""
        if function == tflite.ActivationFunctionType.NONE:
            return f"t{output}"
        if function != tflite.ActivationFunctionType.RELU:
            raise ValueError(f"fused activation {function} is not known")
        return f"t{output}_raw"

    def activate(self, output: int, function: int) -> None:
        if function == tflite.ActivationFunctionType.RELU:
            self.node("Relu", [f"t{output}_raw"], f"t{output}")

    def margins(self, tensor: int, kernel: Sequence[int], stride: Sequence[int], padding: int) -> list[int]:
        """Padding top, left, bottom, right; "same" puts the odd pixel last."""
        if padding == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        before, after = [], []
        for side, size, step in zip(self.shape(tensor)[1:3], kernel, stride, strict=True):
            whole = max((-(-side // step) - 1) * step + size - side, 0)
            before.append(whole // 2)
            after.append(whole - whole // 2)
        return before + after

    @staticmethod
    def options(operator: tflite.Operator, kind: type) -> object:
        read = kind()
        table = operator.BuiltinOptions()
        read.Init(table.Bytes, table.Pos)
        return read

    # The operators, by their names in TensorFlow Lite.

    def _dequantize(self, _: tflite.Operator, inputs: list[int], output: int) -> None:
        self.halves[output] = inputs[0]

    def _conv_2d(self, operator: tflite.Operator, inputs: list[int], output: int) -> None:
        o = self.options(operator, tflite.Conv2DOptions)
        kernel = self.constant(inputs[1])  # (out, h, w, in)
        self._convolve(o, inputs, output, None if kernel is None else kernel.transpose(0, 3, 1, 2), 1)

    def _depthwise_conv_2d(self, operator: tflite.Operator, inputs: list[int], output: int) -> None:
        o = self.options(operator, tflite.DepthwiseConv2DOptions)
        kernel = self.constant(inputs[1])  # (1, h, w, out)
        channels = self.shape(inputs[0])[3]
        self._convolve(o, inputs, output, None if kernel is None else kernel.transpose(3, 0, 1, 2), channels)

    def _convolve(
        self, o: tflite.Conv2DOptions, inputs: list[int], output: int, kernel: np.ndarray | None, group: int
    ) -> None:
        if (o.DilationHFactor(), o.DilationWFactor()) != (1, 1):
            raise ValueError("dilated convolutions are not known")
        names = [f"t{inputs[0]}", self.weight(f"t{output}_kernel", kernel)]
        if len(inputs) > 2 and inputs[2] >= 0:
            names.append(self.weight(f"t{output}_bias", self.constant(inputs[2])))
        sides, strides = list(np.shape(kernel)[2:]), [o.StrideH(), o.StrideW()]
        pads = self.margins(inputs[0], sides, strides, o.Padding())
        function = o.FusedActivationFunction()
        to = self.activated(output, function)
        self.node("Conv", names, to, kernel_shape=sides, strides=strides, pads=pads, group=group)
        self.activate(output, function)

    def _max_pool_2d(self, operator: tflite.Operator, inputs: list[int], output: int) -> None:
        o = self.options(operator, tflite.Pool2DOptions)
        sides, strides = [o.FilterHeight(), o.FilterWidth()], [o.StrideH(), o.StrideW()]
        pads = self.margins(inputs[0], sides, strides, o.Padding())
        function = o.FusedActivationFunction()
        to = self.activated(output, function)
        self.node("MaxPool", [f"t{inputs[0]}"], to, kernel_shape=sides, strides=strides, pads=pads)
        self.activate(output, function)

    def _prelu(self, _: tflite.Operator, inputs: list[int], output: int) -> None:
        slope = self.constant(inputs[1])  # (1, 1, c)
        turned = None if slope is None else slope.reshape(-1, 1, 1)
        self.node("PRelu", [f"t{inputs[0]}", self.weight(f"t{output}_slope", turned)], f"t{output}")

    def _relu(self, _: tflite.Operator, inputs: list[int], output: int) -> None:
        self.node("Relu", [f"t{inputs[0]}"], f"t{output}")

    def _add(self, operator: tflite.Operator, inputs: list[int], output: int) -> None:
        function = self.options(operator, tflite.AddOptions).FusedActivationFunction()
        self.node("Add", [f"t{tensor}" for tensor in inputs], self.activated(output, function))
        self.activate(output, function)

    def _pad(self, _: tflite.Operator, inputs: list[int], output: int) -> None:
        margins = self.constant(inputs[1])  # (n, h, w, c) by (before, after)
        if margins is None:
            raise ValueError("padding that is computed is not known")
        turned = margins[[0, 3, 1, 2]].T.reshape(-1).astype(np.int64)
        self.node("Pad", [f"t{inputs[0]}", self.weight(f"t{output}_margins", turned)], f"t{output}")

    def _resize_bilinear(self, operator: tflite.Operator, inputs: list[int], output: int) -> None:
        o = self.options(operator, tflite.ResizeBilinearOptions)
        how = "align_corners" if o.AlignCorners() else "half_pixel" if o.HalfPixelCenters() else "asymmetric"
        (_, height, width, _), (_, high, wide, _) = self.shape(inputs[0]), self.shape(output)
        scales = np.array([1, 1, high / height, wide / width], np.float32)
        names = [f"t{inputs[0]}", "", self.weight(f"t{output}_scales", scales)]
        self.node("Resize", names, f"t{output}", mode="linear", coordinate_transformation_mode=how)

    def _reshape(self, _: tflite.Operator, inputs: list[int], output: int) -> None:
        source = f"t{inputs[0]}"
        if len(self.shape(inputs[0])) == 4:
            self.node("Transpose", [source], f"t{output}_turned", perm=[0, 2, 3, 1])
            source = f"t{output}_turned"
        if len(self.shape(output)) == 4:
            raise ValueError("a reshape to a map is not known")
        target = np.array([-1, *self.shape(output)[1:]], np.int64)
        self.node("Reshape", [source, self.weight(f"t{output}_shape", target)], f"t{output}")

    def _concatenation(self, operator: tflite.Operator, inputs: list[int], output: int) -> None:
        axis = self.options(operator, tflite.ConcatenationOptions).Axis()
        if len(self.shape(output)) == 4:
            axis = [0, 2, 3, 1][axis]
        self.node("Concat", [f"t{tensor}" for tensor in inputs], f"t{output}", axis=axis)
