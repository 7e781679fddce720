"""Names of the kinds of prompts that ask about documents; see `model.data.asked`. No torch."""

SPLITS = ("train", "valid", "test")
LANGUAGES = ("en", "zh", "ar", "th", "hi")  # learnt; German, Spanish and Russian are only measured
LEARNT = ("nq8", "nq8-mixed", "nq20", *(f"xquad-{language}" for language in LANGUAGES), "redundant", "qmsum")
