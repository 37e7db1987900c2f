from fastloss._core.loss import loss, number
from fastloss._core.parameters import NON_NEGATIVE
from fastloss.regions.regions import OverlapLoss
from dataclasses import field

@loss()
class Dice(OverlapLoss):
    smooth: float = number(NON_NEGATIVE, default=1e-7)
    eps: float = number(NON_NEGATIVE, default=0.0)
    squared: bool = field(default=False, kw_only=True)
    log_loss: bool = field(default=False, kw_only=True)

    def _kernel(self):
        return "dice_squared" if self.squared else "dice", {}
