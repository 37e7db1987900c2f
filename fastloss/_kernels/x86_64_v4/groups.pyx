include "groups/driver.pxi"
