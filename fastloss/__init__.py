from fastloss.elementwise.residual import *
