"""Compares licences by their issuer and number."""

import unicodedata


def license_key(issuer: str, number: str) -> str:
    """Returns the folded issuer and number of a licence; equal keys are the same licence.

    Folds Unicode form KC and case, and drops white space, dashes and punctuation. Empty without an issuer or a number:
    the numbers of two issuers may be equal, so that a number alone identifies no licence.
    """
    return f"{_fold(issuer)}\n{_fold(number)}" if issuer and number else ""


def _fold(text: str) -> str:
    """Returns the letters and digits of a text in one form."""
    return "".join(character for character in unicodedata.normalize("NFKC", text).casefold() if character.isalnum())
