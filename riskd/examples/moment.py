"""The moment of the story that the examples tell."""

AT_NS = 1_767_623_400_000_000_000  # 2026-01-05T14:30:00Z, when the New York session opens.
SECOND_NS = 1_000_000_000
