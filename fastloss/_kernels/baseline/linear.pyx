include "linear/driver.pxi"
