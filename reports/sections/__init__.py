"""The sections of a page: a data class each, from records and summaries; no drawing, no markup."""
