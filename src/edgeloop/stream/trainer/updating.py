"""Updates in the background: again and again, whatever happens, until they are ended."""

import logging
import threading
from collections.abc import Callable

from edgeloop.errors import EdgeloopError

log = logging.getLogger(__name__)

_SHORTEST_PAUSE_S = 0.001
"""Without any pause an explicit update of another thread would wait for its turn for long."""
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 10.0


class Updater:
    """Calls ``update`` every ``interval_s`` in a thread; after failures less and less often.

    Failures are logged once per kind until an update succeeds.
    """

    def __init__(self, update: Callable[[], int], interval_s: float) -> None:
        self._update = update
        self._interval_s = interval_s
        self._ended = threading.Event()
        self._logged: set[type[Exception]] = set()
        self._thread = threading.Thread(target=self._run, name="updater", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Begin no further update."""
        self._ended.set()

    def join(self, timeout_s: float) -> None:
        """Wait until the update that runs has ended, but not for ever."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        failures = 0
        while not self._ended.is_set():
            failures = 0 if self._try() else failures + 1
            self._ended.wait(self._pause_s(failures))

    def _try(self) -> bool:
        try:
            self._update()
        except Exception as error:  # noqa: BLE001 - the store may be other people's code
            if not self._ended.is_set():
                self._log(error)
            return False
        if self._logged:
            log.info("updates get through again")
            self._logged.clear()
        return True

    def _log(self, error: Exception) -> None:
        if type(error) in self._logged:
            return
        self._logged.add(type(error))
        unexpected = None if isinstance(error, EdgeloopError) else error
        log.warning("an update failed, trying again: %s", error, exc_info=unexpected)

    def _pause_s(self, failures: int) -> float:
        if not failures:
            return max(self._interval_s, _SHORTEST_PAUSE_S)
        longest = max(self._interval_s, _LONGEST_PAUSE_S)
        return min(longest, _FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))
