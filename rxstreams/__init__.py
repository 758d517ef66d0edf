"""Market data as Observables: from an exchange's socket to a candle that says whether it is true."""
