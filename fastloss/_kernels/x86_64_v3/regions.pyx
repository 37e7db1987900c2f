include "regions/driver.pxi"
