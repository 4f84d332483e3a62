"""Reads QR codes from pictures; needs the extra `pictures`."""

from pathlib import Path

from medconnect_client.terminal.entries import EntryWrong, is_code


def read_picture(path: Path) -> str:
    """Returns the text of the prescription's QR code in a picture. Raises EntryWrong unless there is exactly one."""
    try:
        import zxingcpp
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise EntryWrong("To read pictures, run: pip install 'medconnect-client[pictures]'.") from None
    try:
        with Image.open(path) as picture:
            found = zxingcpp.read_barcodes(picture)
    except (OSError, UnidentifiedImageError):
        raise EntryWrong(f"{path} cannot be read as a picture.") from None
    texts = {code.text for code in found if is_code(code.text)}
    if len(texts) != 1:
        raise EntryWrong(f"{path} contains {len(texts) or 'no'} QR codes of prescriptions; it must contain one.")
    return str(texts.pop())
