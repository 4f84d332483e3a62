"""The counter reads codes by camera, with the browser's own detector or ours, from pictures, and as text."""

import base64
import io
import random
import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Final

import pytest
from medconnect.clinical.v1 import clinical_service_pb2, prescription_pb2
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, Page, expect

from server.clinical.rules.reference_number import new_prescription_number
from server.qr import picture
from tests.fixtures.actors import Actor, Actors
from tests.fixtures.browser import Window, chromium
from tests.fixtures.instance import RunningInstance

SCREEN: Final = (640, 480)
FOREIGN: Final = "https://example.org/menu"
NATIVE: Final = """text => globalThis.BarcodeDetector = class {
  static getSupportedFormats = async () => ["ean_13", "qr_code"];
  constructor({ formats }) { globalThis.wanted = formats; }
  detect = async (source) => source instanceof HTMLVideoElement && text ? [{ rawValue: text }] : [];
}"""
EAVESDROP: Final = """() => {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (asked) => {
    const stream = await open(asked);
    [globalThis.track] = stream.getVideoTracks();
    globalThis.asked = asked;
    return stream;
  };
}"""
REFUSE: Final = """name => navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", name))"""
HIDE: Final = """() => Object.defineProperty(navigator, "mediaDevices", { value: undefined })"""
HAND_OVER: Final = """([kind, name, type, bytes]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, { type }));
  const how = kind === "drop" ? { dataTransfer: transfer } : { clipboardData: transfer };
  const Kind = kind === "drop" ? DragEvent : ClipboardEvent;
  document.body.dispatchEvent(new Kind(kind, { bubbles: true, cancelable: true, ...how }));
}"""


@pytest.fixture(scope="module")
def written(actors: Actors) -> prescription_pb2.Prescription:
    return actors.prescribe(actors.new_patient().patient_id, 10)


@pytest.fixture(scope="module")
def code(actors: Actors, written: prescription_pb2.Prescription) -> str:
    """Returns the text of the prescription's QR code."""
    return actors.qr_text(written.id)


@pytest.fixture(scope="module")
def browser(instance: RunningInstance, code: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Yields a browser whose camera sees the code."""
    film = tmp_path_factory.mktemp("camera") / "code.mjpeg"
    film.write_bytes(saved(on_a_desk(code), "JPEG"))
    switches = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    with chromium(*switches, f"--use-file-for-fake-video-capture={film}") as running:
        yield running


@pytest.fixture(scope="module")
def window(browser: Browser, instance: RunningInstance, actors: Actors) -> Iterator[Window]:
    """Returns the window of a pharmacist who stays signed in."""
    opened = Window(browser, instance.rest).sign_in(actors.new_pharmacist())
    yield opened
    opened.close()


@pytest.fixture
def page(window: Window) -> Page:
    """Opens the counter in a new page."""
    return window.go("/counter").page


def drawn(text: str) -> Image.Image:
    return Image.open(io.BytesIO(picture.png(text))).convert("L")


def on_a_desk(*texts: str) -> Image.Image:
    """Returns the picture that a camera takes: codes on a grey surface."""
    width, height = SCREEN
    desk = Image.new("L", (width * len(texts), height), 128)
    for place, text in enumerate(texts):
        desk.paste(drawn(text).resize((400, 400)), (width * place + 120, 40))
    return desk


def photographed(text: str) -> Image.Image:
    """Returns a poor photograph: turned, blurred, dim and noisy."""
    turned = on_a_desk(text).resize((1600, 1200)).rotate(17, fillcolor=110).filter(ImageFilter.GaussianBlur(2.5))
    grains = random.Random(7).randbytes(turned.width * turned.height)
    return Image.blend(turned, Image.frombytes("L", turned.size, grains), 0.2)


def see_through(text: str) -> Image.Image:
    """Returns a code whose light modules are transparent."""
    dark = drawn(text).point(lambda light: 255 - light)
    clear = Image.new("RGBA", dark.size, (0, 0, 0, 0))
    clear.putalpha(dark)
    return clear


def saved(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return buffer.getvalue()


def choose(page: Page, content: bytes, name: str = "code.png") -> None:
    file = {"name": name, "mimeType": "image/png", "buffer": content}
    page.get_by_label("Picture of the code").set_input_files(file)  # type: ignore[arg-type]


def expect_prescription(page: Page, written: prescription_pb2.Prescription) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(written.prescription_number)
    expect(page.get_by_text("Allergies: Penicillin")).to_be_visible()


def expect_dark_camera(page: Page) -> None:
    expect(page.locator("video")).to_have_count(0)
    assert page.evaluate("track.readyState") == "ended"


def test_rear_camera_reads_code_with_library_and_is_released(
    page: Page, written: prescription_pb2.Prescription
) -> None:
    page.evaluate("delete globalThis.BarcodeDetector")
    page.evaluate(EAVESDROP)
    with page.expect_response("**/vendor/qr/decode.js"):
        page.get_by_role("button", name="Scan with the camera").click()
    expect_prescription(page, written)
    expect_dark_camera(page)
    assert page.evaluate("asked.video.facingMode") == "environment"


def test_native_detector_is_used_when_it_supports_qr_codes(
    page: Page, code: str, written: prescription_pb2.Prescription
) -> None:
    page.evaluate(NATIVE, code)
    page.get_by_role("button", name="Scan with the camera").click()
    expect_prescription(page, written)
    assert page.evaluate("wanted") == ["qr_code"]
    assert not page.evaluate("performance.getEntriesByName(location.origin + '/vendor/qr/decode.js').length")


@pytest.mark.parametrize("leave", ["Stop the camera", "History"])
def test_camera_is_released_when_stopped_or_page_is_left(page: Page, leave: str) -> None:
    page.evaluate(NATIVE, "")
    page.evaluate(EAVESDROP)
    page.get_by_role("button", name="Scan with the camera").click()
    expect(page.get_by_label("Camera view")).to_be_visible()
    assert page.evaluate("track.readyState") == "live"
    page.get_by_role("button" if leave.startswith("Stop") else "link", name=leave).click()
    expect_dark_camera(page)


def test_the_camera_goes_on_when_it_sees_another_code(page: Page) -> None:
    page.evaluate(NATIVE, FOREIGN)
    page.get_by_role("button", name="Scan with the camera").click()
    page.wait_for_timeout(300)
    expect(page.get_by_label("Camera view")).to_be_visible()


@pytest.mark.parametrize(
    ("stub", "argument", "words"),
    [
        (REFUSE, "NotAllowedError", "does not let this page use the camera"),
        (REFUSE, "NotFoundError", "No camera was found"),
        (REFUSE, "NotReadableError", "in use by another program"),
        (HIDE, None, "must be opened over https://"),
    ],
)
def test_why_there_is_no_camera_is_told(page: Page, stub: str, argument: str | None, words: str) -> None:
    page.evaluate(stub, argument)
    page.get_by_role("button", name="Scan with the camera").click()
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("button", name="Scan with the camera")).to_be_visible()


@pytest.mark.parametrize(
    "take",
    [drawn, photographed, see_through, lambda text: on_a_desk(FOREIGN, text)],
    ids=["plain", "poor photograph", "transparent", "beside another code"],
)
def test_a_code_is_found_in_a_picture(
    page: Page, code: str, written: prescription_pb2.Prescription, take: Callable[[str], Image.Image]
) -> None:
    choose(page, saved(take(code)))
    expect_prescription(page, written)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(
    page: Page, code: str, written: prescription_pb2.Prescription, kind: str
) -> None:
    page.evaluate(HAND_OVER, [kind, "code.png", "image/png", base64.b64encode(picture.png(code)).decode()])
    expect_prescription(page, written)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%PDF-1.7 a letter", "not a picture"),
        (saved(Image.new("L", SCREEN, 200)), "No QR code was found"),
        (picture.png(FOREIGN), "does not belong to a prescription"),
        (picture.png("RX" + "B" * 120), "This is not a valid MedConnect QR code."),
    ],
    ids=["no picture", "no code", "another code", "a forged code"],
)
def test_a_wrong_file_is_refused_in_words(page: Page, content: bytes, words: str) -> None:
    choose(page, content)
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_label("Picture of the code")).to_be_enabled()


def test_code_text_is_scanned_once_and_reload_looks_it_up(
    page: Page, code: str, written: prescription_pb2.Prescription
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.extend(re.findall(r"/pharmacy/(\w+)", request.url)))
    expect(page.get_by_label("Reference number")).to_be_focused()
    page.keyboard.insert_text(code)
    page.keyboard.press("Enter")
    expect_prescription(page, written)
    assert asked == ["scan"]
    page.reload()
    expect_prescription(page, written)
    assert asked == ["scan", "lookup"]


def test_patients_prescription_is_chosen_without_new_lookup(page: Page, actors: Actors) -> None:
    patient = actors.new_patient("Ada Quist")
    first, second = actors.prescribe(patient.patient_id, 1), actors.prescribe(patient.patient_id, 2)
    _, body = actors.rest("GET", "/patients/profile", patient)
    asked: list[str] = []
    page.on("request", lambda request: asked.extend(re.findall(r"/pharmacy/(\w+)", request.url)))
    page.keyboard.insert_text(body["data"]["patient"]["referenceNumber"].lower())
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ada Quist, 2 in total. Select one.")).to_be_visible()
    page.get_by_role("link", name=first.prescription_number).click()
    expect_prescription(page, first)
    assert asked == ["lookup"]
    page.get_by_role("link", name="The patient's other prescriptions").click()
    expect(page.get_by_role("link", name=second.prescription_number)).to_be_visible()


def test_number_without_prescription_is_reported_at_the_field(page: Page) -> None:
    page.keyboard.insert_text(new_prescription_number(date(2026, 11, 26)))
    page.keyboard.press("Enter")
    expect(page.get_by_text("There is no such prescription.")).to_be_visible()
    page.get_by_label("Reference number").fill("MC1.nothing")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Reference number")).to_have_accessible_description(re.compile("not a valid MedConnect"))
    expect(page.get_by_label("Reference number")).to_be_focused()


def test_expired_code_and_cancelled_prescription_are_explained(page: Page, actors: Actors) -> None:
    written = actors.prescribe(actors.new_patient().patient_id, 1)
    old = actors.qr_text(written.id)
    reissue = clinical_service_pb2.ReissueQrCodeRequest(prescription_id=written.id)
    actors.clinical.ReissueQrCode(reissue, metadata=actors.doctor.metadata)
    choose(page, picture.png(old))
    expect(page.get_by_text("A newer QR code was issued")).to_be_visible()
    expect(page.get_by_text("Ask for the current code")).to_be_visible()
    cancel = clinical_service_pb2.CancelPrescriptionRequest(prescription_id=written.id, reason="Written by mistake")
    actors.clinical.CancelPrescription(cancel, metadata=actors.doctor.metadata)
    page.get_by_label("Reference number").fill(written.prescription_number)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The prescription has been cancelled by its doctor.")).to_be_visible()


def test_prescription_claimed_by_another_is_not_offered(page: Page, actors: Actors) -> None:
    written = actors.prescribe(actors.new_patient().patient_id, 1)
    other: Actor = actors.new_pharmacist()
    actors.claim(written.id, other)
    page.keyboard.insert_text(written.prescription_number)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Another pharmacy has validated this prescription.")).to_be_visible()
    for offered in ("Validate", "Dispense", "Renew"):
        expect(page.get_by_role("button", name=offered)).to_have_count(0)
    actors.rest("POST", f"/pharmacy/release/{written.id}", other, {})
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("button", name="Validate")).to_be_visible()
