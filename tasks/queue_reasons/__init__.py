"""Why a comparison is worth a person's minute, one reason per file."""
