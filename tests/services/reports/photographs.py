"""Photos for tests: drawn, and full of everything a telephone writes into them."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

SECRET = "Rue-des-Secrets-47.6543"
XMP = f"<?xpacket begin=''?><x:xmpmeta xmlns:x='adobe:ns:meta/'>{SECRET}</x:xmpmeta>".encode()
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TRACES = (SECRET.encode(), b"Exif", b"xmpmeta", b"acsp", b"GPS", b"Pixel 9", b"sRGB built-in")


def drawn(width: int = 160, height: int = 120) -> Image.Image:
    """Return a picture whose top left quarter is red: one sees how it is turned."""
    image = Image.new("RGB", (width, height), "#8a8f98")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, width // 2, height // 2), fill="#d62222")
    pen.ellipse((width * 0.6, height * 0.6, width * 0.9, height * 0.9), fill="#1d4ed8")
    return image


def exif(orientation: int = 1) -> bytes:
    """Return an EXIF block with a place, a model and a comment."""
    held = Image.Exif()
    held[0x0112] = orientation
    held[0x0110] = "Pixel 9"
    held[0x010E] = SECRET
    place = held.get_ifd(0x8825)
    place.update({1: "N", 2: (47.0, 39.0, 15.5), 3: "E", 4: (2.0, 1.0, 3.0)})
    return held.tobytes()


def photograph(kind: str, orientation: int = 1, size: tuple[int, int] = (160, 120)) -> bytes:
    """Return a photo of that kind (jpeg, png, webp, avif) with EXIF, GPS, XMP, a colour profile and comments."""
    held, image = io.BytesIO(), drawn(*size)
    if kind == "png":
        about = PngImagePlugin.PngInfo()
        about.add_text("Comment", SECRET)
        about.add_itxt("XML:com.adobe.xmp", XMP.decode())
        image.save(held, "PNG", exif=exif(orientation), icc_profile=ICC, pnginfo=about)
    elif kind == "jpeg":
        image.save(held, "JPEG", quality=90, exif=exif(orientation), icc_profile=ICC, xmp=XMP, comment=SECRET.encode(),
                   progressive=True)  # fmt: skip
        return held.getvalue() + b"ftypmp42" + SECRET.encode()  # a film after the picture
    else:
        image.save(held, kind.upper(), quality=90, exif=exif(orientation), icc_profile=ICC, xmp=XMP)
    return held.getvalue()


def heic(folder: Path) -> bytes:
    """Return a HEIC photo with EXIF and XMP, made by heif-enc and exiftool."""
    if shutil.which("heif-enc") is None:
        pytest.skip("heif-enc is not installed (Debian: libheif-examples)")
    source, made = folder / "source.jpg", folder / "made.heic"
    source.write_bytes(photograph("jpeg"))
    subprocess.run(
        ["heif-enc", "-q", "90", str(source), "-o", str(made)], check=True, capture_output=True, timeout=60
    )
    return made.read_bytes()


def left_in(data: bytes, folder: Path) -> set[str]:
    """Return the groups of tags that exiftool finds in a photo, beside those that describe the pixels."""
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed (Debian: libimage-exiftool-perl)")
    path = folder / "looked-at"
    path.write_bytes(data)
    run = subprocess.run(
        ["exiftool", "-a", "-G1", "-s", "-ee", str(path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    groups = {line[1 : line.index("]")] for line in run.stdout.splitlines()}
    return groups - {
        "ExifTool",
        "System",
        "File",
        "Composite",
        "JFIF",
        "PNG",
        "RIFF",
        "QuickTime",
        "Meta",
        "HEIC",
    }
