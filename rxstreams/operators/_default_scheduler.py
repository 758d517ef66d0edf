"""Whose time operators live in where nobody gives them a scheduler."""

from __future__ import annotations

from reactivex import abc


def default_scheduler() -> abc.SchedulerBase:
    """Return rxstreams' own; its thread starts with the first wait."""
    from rxstreams.scheduler import scheduler_for  # here, since whoever brings a scheduler needs no event loop

    return scheduler_for("rxstreams")
