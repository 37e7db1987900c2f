include "engine/engine.pxi"
include "vectors/similarities.pxi"
