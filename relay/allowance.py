"""How much of something a client may do in a while: a bucket that time fills. Pure."""


class Allowance:
    """Up to ``burst`` at once and ``per_s`` a second; more is taken too, and has to be waited for.

    Nothing is ever refused: what came was received already. The debt says how long to rest.
    """

    __slots__ = ("_burst", "_left", "_per_s", "_seen_s")

    def __init__(self, per_s: float, burst: float, now_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._seen_s = now_s

    def take(self, cost: float, now_s: float) -> float:
        """Spend ``cost``; return for how many seconds nothing more is to be taken, 0 for none."""
        grown = self._left + (now_s - self._seen_s) * self._per_s
        self._left = min(self._burst, grown) - cost
        self._seen_s = now_s
        return max(0.0, -self._left / self._per_s)
