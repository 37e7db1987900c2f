include "elementwise/driver.pxi"
