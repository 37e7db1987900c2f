include "vecmath_functions.pxi"
