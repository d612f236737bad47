"""Torch models for RTNeural, the C++ library for neural networks on audio threads.

    export_model  a torch model as RTNeural's JSON, or an error with the nearest supported form
    diagnose      faults and notes of a file, which RTNeural itself does not report
    Network       a numpy interpreter of the format
    check_parity  a comparison of a file with the outputs of its torch model
    model_cost    parameters, multiplications, state and receptive field
    model_t       the type of RTNeural's compile-time API

>>> import numpy as np, torch
>>> from fonoteka.rtneural import Network, diagnose, export_model
>>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh())
>>> text = export_model(model).text
>>> diagnose(text)
[]
>>> outputs = Network(text).run(np.ones((4, 2), dtype=np.float32))
>>> bool(np.allclose(outputs, model(torch.ones(4, 2)).detach().numpy(), atol=1e-6))
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fonoteka.core.exports import lazy_exports

if TYPE_CHECKING:
    from fonoteka.rtneural.bounds import max_abs_logit
    from fonoteka.rtneural.cost import ModelCost, model_cost, model_t
    from fonoteka.rtneural.export import ExportedModel, export_model
    from fonoteka.rtneural.interpreter import Network
    from fonoteka.rtneural.parity import check_parity, settling_steps
    from fonoteka.rtneural.shapes import Diagnostic
    from fonoteka.rtneural.validate import diagnose, require_valid

__all__ = [
    "Diagnostic",
    "ExportedModel",
    "ModelCost",
    "Network",
    "check_parity",
    "diagnose",
    "export_model",
    "max_abs_logit",
    "model_cost",
    "model_t",
    "require_valid",
    "settling_steps",
]
_MODULES = {
    "Diagnostic": "shapes",
    "ExportedModel": "export",
    "ModelCost": "cost",
    "Network": "interpreter",
    "check_parity": "parity",
    "diagnose": "validate",
    "export_model": "export",
    "max_abs_logit": "bounds",
    "model_cost": "cost",
    "model_t": "cost",
    "require_valid": "validate",
    "settling_steps": "parity",
}
__getattr__ = lazy_exports(__name__, _MODULES)
