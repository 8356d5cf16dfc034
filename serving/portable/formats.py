"""Write the programs of a model in a format, with the measured parity in each file's metadata.

Equal exports give equal bytes: what torch notes about the machine's files while it traces is removed.
"""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as symbolic_shapes

from models.export import METADATA_KEY, load_export
from models.spec.nets import padded_side
from models.spec.portable import SUFFIXES, PortableFormat, Program, file_names
from models.spec.recipe import Recipe
from serving.portable.parity import Parity, measure
from serving.portable.programs import Inputs, TracedProgram, modules_of

if TYPE_CHECKING:
    import onnx

Facts = dict[str, Any]
METADATA_FILE = "forger.json"
"""name of the metadata inside a torch_export file"""
MAX_BATCH, MAX_SIDE = 65_536, 16_384
"""largest batch and longest side of pictures for which a program is traced"""


def write(format_: PortableFormat, export: Path, recipe: Recipe, traced: list[TracedProgram], facts: Facts,
          folder: Path) -> dict[str, Parity]:  # fmt: skip
    """Write the files of a format into the folder. Return the parity of each program, by its name.

    `facts` go into the metadata of each file, with the program and its parity; the export's own file, safetensors,
    stays as it is.
    """
    if format_ == "safetensors":
        return _copy_export(export, recipe, traced, folder / file_names(recipe, format_)[0])
    write_one = _write_onnx if format_ == "onnx" else _write_torch_export
    return {
        program.spec.name: write_one(program, facts, folder / (program.spec.name + SUFFIXES[format_]))
        for program in traced
    }


def _copy_export(export: Path, recipe: Recipe, traced: list[TracedProgram], target: Path) -> dict[str, Parity]:
    shutil.copyfile(export, target)
    modules = modules_of(recipe, load_export(target).networks)
    return {program.spec.name: measure(program, modules[program.spec.name]) for program in traced}


def _write_torch_export(program: TracedProgram, facts: Facts, target: Path) -> Parity:
    exported = _trace(program)
    parity = measure(program, _reloaded(exported).module())
    metadata = json.dumps(_metadata(program.spec, facts, parity), sort_keys=True)
    torch.export.save(exported, target, extra_files={METADATA_FILE: metadata})
    return parity


def _reloaded(exported: ExportedProgram) -> ExportedProgram:
    """Return the program as it comes back from its file."""
    file = io.BytesIO()
    torch.export.save(exported, file)
    file.seek(0)
    return torch.export.load(file)


def _write_onnx(program: TracedProgram, facts: Facts, target: Path) -> Parity:
    import onnx

    model = _onnx_model(program)
    onnx.checker.check_model(model, full_check=True)
    parity = measure(program, _onnx_session(model))
    metadata = json.dumps(_metadata(program.spec, facts, parity), sort_keys=True)
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata})
    target.write_bytes(model.SerializeToString(deterministic=True))
    return parity


def _onnx_model(program: TracedProgram) -> "onnx.ModelProto":
    names = [port.name for port in program.spec.inputs]
    written = torch.onnx.export(
        _trace(program), dynamo=True, verbose=False, input_names=names, output_names=[program.spec.output.name]
    )
    assert written is not None
    model = written.model_proto
    model.doc_string, model.graph.doc_string = "", ""
    model.graph.name = program.spec.name
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    for function in model.functions:
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]
    for value, port in zip(
        (*model.graph.input, *model.graph.output), (*program.spec.inputs, program.spec.output), strict=True
    ):
        for size, dimension in zip(port.shape, value.type.tensor_type.shape.dim, strict=True):
            if isinstance(size, str):
                dimension.dim_param = size
    return model


def _onnx_session(model: "onnx.ModelProto") -> Callable[..., Tensor]:
    """Return a function that runs the model in onnxruntime on the processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]

    def run(*inputs: Tensor) -> Tensor:
        (output,) = session.run(None, {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)})
        return torch.from_numpy(output)

    return run


def _trace(program: TracedProgram) -> ExportedProgram:
    """Trace the program with a free batch, and for pictures free sides."""
    # Without it, inner maps of one pixel would be refused: torch guards against sizes of 1.
    with symbolic_shapes.patch(backed_size_oblivious=program.multiple > 1):  # type: ignore[attr-defined]
        exported = torch.export.export(
            program.module, _example(program), dynamic_shapes=_dynamic(program), strict=False
        )
    for module in exported.graph_module.modules():
        for node in getattr(getattr(module, "graph", None), "nodes", ()):
            node.meta.pop("stack_trace", None)
    return exported


def _example(program: TracedProgram) -> Inputs:
    """Return two examples to trace with, of sides of at least two multiples: torch takes a size of 1 for a constant."""
    example = []
    for tensor, port in zip(program.batches[1], program.spec.inputs, strict=True):
        free = [axis for axis, size in enumerate(port.shape) if size in ("height", "width")]
        times = [2 if axis in free and tensor.shape[axis] == program.multiple else 1 for axis in range(tensor.dim())]
        example.append(tensor[:2].repeat(times))
    return tuple(example)


def _dynamic(program: TracedProgram) -> tuple[dict[int, Any], ...]:
    """Return the free sizes of each input: sides are multiples of what the network needs."""
    multiple = program.multiple
    shortest = padded_side(1, multiple) // multiple
    sizes: dict[str, Any] = {"batch": Dim("batch", min=1, max=MAX_BATCH)}
    for name in ("height", "width"):
        sizes[name] = multiple * Dim(f"{name}_over_{multiple}", min=shortest, max=MAX_SIDE // multiple)
    return tuple(
        {axis: sizes[size] for axis, size in enumerate(port.shape) if isinstance(size, str)}
        for port in program.spec.inputs
    )


def _metadata(spec: Program, facts: Facts, parity: Parity) -> Facts:
    ports = [{"name": port.name, "dtype": port.dtype, "shape": port.shape, "meaning": port.meaning}
             for port in (*spec.inputs, spec.output)]  # fmt: skip
    program = {"name": spec.name, "inputs": ports[:-1], "output": ports[-1]}
    return {**facts, "program": program, "parity": parity.json()}
