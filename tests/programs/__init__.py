"""Programs as people write them, which know nothing of mirrorhub; test_programs.py runs them unchanged."""
