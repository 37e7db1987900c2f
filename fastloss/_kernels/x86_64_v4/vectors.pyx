include "vectors/driver.pxi"
