"""The reference disaggregated transfer: requests from prefill ranks to decode ranks, every byte checked."""
