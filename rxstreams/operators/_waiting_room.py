"""Where the items of one ``throttle_by_priority`` subscription are held until a limiter admits them."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, Literal, TypeAlias, TypeVar

from reactivex import abc

from rxstreams.errors import BufferOverflow
from rxstreams.limits import APIPriority
from rxstreams.limits._line import Place
from rxstreams.limits.admission import Admission

_T = TypeVar("_T")

ThrottleOverflow: TypeAlias = Literal["error", "drop_oldest", "drop_lowest"]

_log = logging.getLogger("rxstreams.throttle_by_priority")


class WaitingRoom(Generic[_T]):
    """Holds items, each with a place in the limiter's line, and sends those that were admitted, one after the other.

    Items come on the source's thread and are admitted on any; all that goes out goes out on the scheduler. No lock is
    held meanwhile.

    Args:
        observer: gets the items.
        admission: the limiter's.
        place_of: says an item's rank and weight.
        maxsize: items held at most.
        overflow: what happens when one more comes.
        on_drop: is told of it; None: nobody is.
        scheduler: whose thread sends.
    """

    def __init__(
        self,
        observer: abc.ObserverBase[_T],
        admission: Admission,
        place_of: Callable[[_T], tuple[int, int]],
        *,
        maxsize: int,
        overflow: ThrottleOverflow,
        on_drop: Callable[[_T], object] | None,
        scheduler: abc.SchedulerBase,
    ) -> None:
        self._observer = observer
        self._admission = admission
        self._place_of = place_of
        self._maxsize = maxsize
        self._overflow = overflow
        self._on_drop = on_drop
        self._scheduler = scheduler
        self._dropped = 0
        # In order of arrival; each of them also in the order of its rank, where the last one is found.
        self._held: OrderedDict[Place, _T] = OrderedDict()
        self._by_rank: tuple[OrderedDict[Place, None], ...] = tuple(OrderedDict() for _ in APIPriority)
        self._admitted: deque[Place] = deque()
        self._ending: Callable[[], None] | None = None  # goes out when nothing is held any more
        self._ended = False
        self._sending = False  # it is at work or on the scheduler
        # Reentrant: a signal's handler may emit or dispose at any point of this very thread.
        self._lock = threading.RLock()

    def add(self, item: _T) -> None:
        """Hold an item."""
        if self._is_closed():  # a source that is being subscribed to can't be stopped yet
            return
        try:
            rank, weight = self._place_of(item)
        except Exception as error:
            self.fail(error)
            return
        place = Place(rank, weight, self._admission.clock(), self._wake)
        with self._lock:
            if self._is_closed():
                return
            is_full = len(self._held) >= self._maxsize
            overflows = is_full and self._overflow == "error"
            loser = self._loser(place) if is_full and not overflows else None
            if not overflows:
                self._hold(place, item)
            lost = None if loser is None else (self._release(loser),)
        if overflows:
            self.fail(BufferOverflow(f"{self._maxsize} items were held when the next one came"))
            return
        if loser is not None:
            self._admission.leave([loser])
        if loser is not place:
            self._admission.post(place)
        if lost is not None:
            self._tell(lost[0])

    def fail(self, error: Exception) -> None:
        """Send an error, and nothing else; drop what is held."""
        self._end(lambda: self._observer.on_error(error))

    def complete(self) -> None:
        """Complete as soon as nothing is held any more."""
        with self._lock:
            if self._is_closed():
                return
            self._ending = self._observer.on_completed
            if self._held or self._sending:
                return
            self._sending = True
        self._schedule()

    def close(self) -> None:
        """Drop what is held and send nothing more."""
        self._end(None)
        with self._lock:
            self._ending = None
            dropped, self._dropped = self._dropped, 0
        if dropped:
            _log.warning("%d items were dropped, as %d were held already", dropped, self._maxsize)

    def _is_closed(self) -> bool:
        """Return whether nothing is taken any more."""
        return self._ended or self._ending is not None

    def _end(self, ending: Callable[[], None] | None) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
            self._ending = ending
            places = list(self._held)
            self._held.clear()
            self._admitted.clear()
            for places_of_rank in self._by_rank:
                places_of_rank.clear()
            must_schedule = ending is not None and not self._sending
            self._sending = self._sending or must_schedule
        self._admission.leave(places)
        if must_schedule:
            self._schedule()

    def _wake(self, place: Place) -> None:
        with self._lock:
            if place in self._held:
                self._admitted.append(place)
                if self._sending:
                    return
                self._sending = True
            else:  # it was dropped meanwhile, and gives its place up
                return
        self._schedule()

    def _schedule(self) -> None:
        try:
            self._scheduler.schedule(self._send)
        except Exception:
            # Whoever freed the place that led here has nothing to do with it.
            _log.exception("%r failed: the items that were held are dropped", self._scheduler)
            self.close()

    def _send(self, _scheduler: abc.SchedulerBase, _state: object = None) -> None:
        """Send what was admitted, on the scheduler."""
        while True:
            with self._lock:
                if self._admitted:
                    place = self._admitted.popleft()
                    if place not in self._held:
                        continue
                    item = self._release(place)
                elif self._ending is not None and not self._held:
                    ending, self._ending = self._ending, None
                    self._ended = True
                    break
                else:
                    self._sending = False
                    return
            if self._admission.take(place):
                try:
                    self._observer.on_next(item)
                except BaseException:
                    self._schedule()  # the others go out all the same
                    raise
                finally:
                    self._admission.leave([place])
        ending()

    def _hold(self, place: Place, item: _T) -> None:
        self._held[place] = item
        self._by_rank[place.rank][place] = None

    def _release(self, place: Place) -> _T:
        del self._by_rank[place.rank][place]
        return self._held.pop(place)

    def _loser(self, newcomer: Place) -> Place:
        """Return who is dropped to make room for a newcomer."""
        if self._overflow == "drop_oldest":
            return next(iter(self._held))
        turn = self._admission.turn
        last = newcomer
        for places in self._by_rank:
            if places and turn(candidate := next(reversed(places))) > turn(last):
                last = candidate
        return last

    def _tell(self, item: _T) -> None:
        self._dropped += 1
        if self._on_drop is not None:
            try:
                self._on_drop(item)
            except Exception as error:
                self.fail(error)
