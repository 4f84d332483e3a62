"""QR codes in pictures; needs the extra `pictures`."""

from pathlib import Path

from medconnect_client.terminal.entries import QR_PREFIX, EntryWrong


def read_picture(path: Path) -> str:
    """The text of the one QR code of ours in a picture. Raises EntryWrong."""
    try:
        import zxingcpp
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise EntryWrong("Pictures need: pip install 'medconnect-client[pictures]'.") from None
    try:
        with Image.open(path) as picture:
            found = zxingcpp.read_barcodes(picture)
    except (OSError, UnidentifiedImageError):
        raise EntryWrong(f"{path} cannot be read as a picture.") from None
    texts = {code.text for code in found if code.text.startswith(QR_PREFIX)}
    if len(texts) != 1:
        raise EntryWrong(f"{path} shows {len(texts) or 'no'} QR codes of prescriptions.")
    return str(texts.pop())
