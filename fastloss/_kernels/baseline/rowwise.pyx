include "rowwise/driver.pxi"
