# What a call computes.
VALUE: int
GRAD: int
HESS: int
MOMENTS: int
APART: int

# What a NaN among the targets does.
PROPAGATE: int
OMIT: int
RAISE: int

# Element types.
BOOL: int
INT8: int
INT16: int
INT32: int
INT64: int
UINT8: int
UINT16: int
UINT32: int
UINT64: int
FLOAT16: int
BFLOAT16: int
FLOAT32: int
FLOAT64: int
SWAPPED: int

compiler: str
openmp_version: int

def instruction_sets() -> tuple[str, ...]: ...
def openmp_threads() -> int: ...
def computes_alone() -> bool: ...
def enter_mode() -> int: ...
def leave_mode(found: int) -> None: ...
def mean_of(total: float, weight: float) -> float: ...

class Kernel:
    name: str
    parameters: tuple[str, ...]
    def constants(self, given: dict[str, float]) -> tuple[float, ...]: ...

class Mismatch(ValueError): ...
