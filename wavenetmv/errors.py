"""Every exception wavenetmv raises on purpose.

WmvError                     exit code 1
  InputError                   1   a picture cannot be read, a file cannot be written
  UsageFault                   2   the caller asked for something impossible
  StreamError                  3   the bytes are at fault
    NotAStream                     wrong magic
    UnsupportedStream              newer version, unknown model, reserved flag set
    CorruptStream                  bad CRC, field out of range
      TruncatedStream              ends before its END packet
  CheckpointError              4   weights missing, wrong hash, wrong shape

A message names what was expected and what came, in one line. Anything else
that escapes is a bug in wavenetmv.
"""

from __future__ import annotations


class WmvError(Exception):
    """Base class; `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(WmvError):
    """A picture or file given to us cannot be read, or an output cannot be written."""


class UsageFault(WmvError):
    exit_code = 2


class StreamError(WmvError):
    exit_code = 3


class NotAStream(StreamError):
    pass


class UnsupportedStream(StreamError):
    pass


class CorruptStream(StreamError):
    pass


class TruncatedStream(CorruptStream):
    pass


class CheckpointError(WmvError):
    exit_code = 4
