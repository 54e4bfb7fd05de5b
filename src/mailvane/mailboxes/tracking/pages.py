"""What the tracking endpoint answers: an image, a page, a few words. Bytes only."""

from __future__ import annotations

# One transparent pixel: GIF89a.
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex"><title>{title}</title>
<meta name="viewport" content="width=device-width"></head>
<body style="font-family:sans-serif;max-width:32em;margin:4em auto;padding:0 1em"><h1>{title}</h1><p>{text}</p>{form}
</body></html>
"""
_FORM = """<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">
<button type="submit">Unsubscribe</button></form>"""


def confirmation() -> bytes:
    """Asks before anything changes: whoever only follows links does not unsubscribe anybody."""
    text = "You will get no more mail of this kind when you confirm."
    return _PAGE.format(title="Unsubscribe?", text=text, form=_FORM).encode()


def unsubscribed() -> bytes:
    return _PAGE.format(title="You are unsubscribed", text="It may take a moment until it is known.", form="").encode()
