include "boxes/driver.pxi"
