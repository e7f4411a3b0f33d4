"""What the real wheel has, as cupy_api.json says it, and which Python and NumPy types it takes."""

import json
from pathlib import Path

import numpy as np

API = json.loads((Path(__file__).parents[1] / "cupy_api.json").read_text())
BOOLS = (bool, np.bool_)
PYTHON_SCALARS = {bool: False, int: 0, float: 0.0, complex: 0j}
SCALARS = {*PYTHON_SCALARS, *(np.dtype(character).type for character in API["scalars"])}
ROLES = {role: set(names) for role, names in API["roles"].items()}
