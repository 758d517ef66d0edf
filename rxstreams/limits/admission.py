"""Who may go when: several windows, checked and charged together, and a line of those who wait."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from reactivex.abc import DisposableBase

from rxstreams.errors import QuotaExceeded
from rxstreams.instants import SECOND
from rxstreams.limits._line import Line, Place, State
from rxstreams.limits._rounds import Rounds
from rxstreams.limits.window import SlidingWindow

# While somebody is held up and a loop holds a place: how often to look whether that loop was closed.
_POLL = SECOND


class _Refusal(NamedTuple):
    """Why a call can't go now, and the nanoseconds until it is worth asking again."""

    reason: str
    wait: int


class Admission:
    """Admits calls to all windows at once, or to none; those that must wait, most urgent first.

    Whoever stands first in the line and does not fit holds up all behind: nobody overtakes, or a heavy call would
    starve behind light ones. Safe over threads and loops; no lock is held while somebody is woken.

    Args:
        windows: that a call is charged to.
        ceilings: for each rank what it may fill of each window; not rising with the rank.
        ageing: nanoseconds of waiting that make up for one rank; None: none do.
        clock: nanoseconds; never goes back.
        start_timer: calls a function after so many seconds, on whatever thread.

    Memory: O(limits) and O(places).
    """

    def __init__(
        self,
        windows: Sequence[SlidingWindow],
        ceilings: Sequence[Sequence[int]],
        *,
        ageing: int | None,
        clock: Callable[[], int],
        start_timer: Callable[[float, Callable[[], None]], DisposableBase],
    ) -> None:
        self.windows = tuple(windows)
        self.clock = clock
        self.admitted = 0
        self.refused = 0
        self.running = 0
        self._ceilings = ceilings
        self._line = Line(ageing)
        self._frozen_until: int | None = None
        # Admitted for somebody on an event loop, which may be closed and never let go.
        self._on_loops: set[Place] = set()
        self._rounds = Rounds(self._admit, clock, start_timer)

    @property
    def waiting(self) -> int:
        """Calls that stand in the line."""
        return len(self._line)

    def heaviest(self, rank: int) -> int:
        """Return the largest weight that a call of that rank can ever have."""
        return min(self._ceilings[rank])

    def turn(self, place: Place) -> int:
        """Return where a place stands: before all whose turn is larger."""
        return self._line.key(place.rank, place.since)

    def used(self) -> list[int]:
        """Return the weight that counts now, for each window."""
        with self._rounds.round() as now:
            return [window.used(now) for window in self.windows]

    def frozen_for(self) -> int:
        """Return the nanoseconds for which nobody is admitted."""
        return self._frozen_after(self.clock())

    def enter(self, place: Place) -> None:
        """Admit a call now (its state is RUNNING then) or not at all.

        Raises:
            QuotaExceeded: nobody is admitted, there is no room, or one that stands before it waits.
        """
        self.queue(place, 0)

    def queue(self, place: Place, most: int) -> None:
        """Admit a call now (its state is RUNNING then) or let it wait (WAITING) until it is woken.

        Args:
            place: of the call.
            most: calls that may wait.

        Raises:
            QuotaExceeded: so many wait already.
        """
        with self._rounds.round() as now:
            refusal = self._objection(place, now)
            if refusal is None:
                self._charge(place, now)
                place.state = State.RUNNING
            elif len(self._line) < most:
                self._line.put(place)
            else:
                self.refused += 1
                reason = f"{most} calls are waiting already" if most else refusal.reason
                raise QuotaExceeded(reason, retry_after=refusal.wait / SECOND)

    def post(self, place: Place) -> None:
        """Let a call wait, if only until it is woken at once."""

        def put(_: int) -> None:
            if place.state is State.WAITING:  # it may have been given up by a finaliser that was quicker
                self._line.put(place)

        self._rounds.post(put)

    def promote(self, place: Place, rank: int) -> None:
        """Have a call that waits stand where a newcomer of that rank would, if that is further in front."""

        def move(now: int) -> None:
            if place.state is State.WAITING and place.is_in_line:
                self._line.promote(place, rank, now)

        self._rounds.post(move)

    def take(self, place: Place) -> bool:
        """Begin a call that was granted; False: its place was taken back."""
        with self._rounds.round():
            if place.state is not State.GRANTED:
                return False
            place.state = State.RUNNING
            return True

    def leave(self, places: Iterable[Place], late: int = 0) -> None:
        """Give places up: who waits is forgotten, who did not begin is not charged, who runs has ended.

        Args:
            places: those that were given up before are passed over.
            late: nanoseconds after which the server may still begin to count those that run.
        """

        def give_up(now: int) -> None:
            for place in places:
                self._give_up(place, now + late)

        self._rounds.post(give_up)

    def freeze(self, nanoseconds: int) -> None:
        """Admit nobody for so long from now, or until an earlier freeze ends, if that is later."""

        def hold(now: int) -> None:
            self._frozen_until = max(self._frozen_until or now, now + nanoseconds)

        self._rounds.post(hold)

    def observe(self, window: SlidingWindow, used: int) -> None:
        """Take the server's count of one window."""
        self._rounds.post(lambda now: window.observe(used, now))

    def _admit(self, now: int) -> int | None:
        """Grant those who stand first, as long as they fit; return when to look again."""
        while (head := self._line.head()) is not None:
            if head.is_gone is not None and head.is_gone():
                self._give_up(head, now)
                continue
            wait = self._wait(now, head.weight, self._line.level(head, now))
            if wait and self._sweep(now):
                continue
            if wait:
                return self._look_again(head, now, wait)
            self._line.remove(head)
            self._charge(head, now)
            head.state = State.GRANTED
            self._rounds.effects.append(functools.partial(self._wake, head))
        return None

    def _look_again(self, head: Place, now: int, wait: int) -> int:
        times = [now + wait]
        older = self._line.next_level(head, now)
        if older is not None and not self._frozen_after(now):
            times.append(older)
        if head.is_gone is not None or self._on_loops:
            times.append(now + _POLL)
        return min(times)

    def _wake(self, place: Place) -> None:
        wake = place.wake
        if place.state is not State.GRANTED or wake is None:
            return
        try:
            wake(place)
        except RuntimeError:  # its loop was closed
            self.leave([place])

    def _objection(self, place: Place, now: int) -> _Refusal | None:
        """Return what speaks against admitting a newcomer; a round has just admitted whom it could."""
        wait = self._wait(now, place.weight, place.rank)
        if wait and self._sweep(now):
            self._admit(now)
            wait = self._wait(now, place.weight, place.rank)
        frozen = self._frozen_after(now)
        if frozen:
            return _Refusal(f"nobody is admitted for another {frozen / SECOND:.3g} s", frozen)
        head = self._line.head()
        if head is not None and head.key <= self.turn(place):
            ahead = self._wait(now, head.weight, self._line.level(head, now))
            return _Refusal("a call that is as urgent or more is waiting", max(wait, ahead))
        return _Refusal(self._shortage(place, now), wait) if wait else None

    def _shortage(self, place: Place, now: int) -> str:
        found = [
            f"{window.used(now)} of {window.limit} in {window.period:g} s are used, this priority may fill {ceiling}"
            for window, ceiling in zip(self.windows, self._ceilings[place.rank], strict=True)
            if window.wait(now, place.weight, ceiling)
        ]
        return f"no room for a weight of {place.weight}: {'; '.join(found)}"

    def _wait(self, now: int, weight: int, rank: int) -> int:
        """Return the nanoseconds until there may be room; 0: there is."""
        return self._frozen_after(now) or max(
            window.wait(now, weight, ceiling)
            for window, ceiling in zip(self.windows, self._ceilings[rank], strict=True)
        )

    def _frozen_after(self, now: int) -> int:
        return 0 if self._frozen_until is None else max(0, self._frozen_until - now)

    def _charge(self, place: Place, now: int) -> None:
        for window in self.windows:
            window.start(place.weight)
        place.entered = now
        self.admitted += 1
        self.running += 1
        if place.is_gone is not None:
            self._on_loops.add(place)

    def _give_up(self, place: Place, ended: int) -> None:
        state, place.state = place.state, State.OVER
        if state is State.WAITING and place.is_in_line:
            self._line.remove(place)
        if state is State.GRANTED:
            self.admitted -= 1
            for window in self.windows:
                window.take_back(place.weight)
        if state is State.RUNNING:
            for window in self.windows:
                window.end(place.weight, ended)
        if state in (State.GRANTED, State.RUNNING):
            self.running -= 1
            self._on_loops.discard(place)
        place.wake = place.is_gone = None  # they lead to a task, and the line may keep the place for a while

    def _sweep(self, now: int) -> bool:
        """Give up the places of those whose loop was closed; return whether there were any."""
        gone = [place for place in self._on_loops if place.is_gone is not None and place.is_gone()]
        for place in gone:
            self._give_up(place, now)
        return bool(gone)
