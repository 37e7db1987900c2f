include "alignment/driver.pxi"
