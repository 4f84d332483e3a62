/** Reads the texts of QR codes. The library that comes along is loaded when it is needed. */

const LIBRARY = "../../vendor/qr/decode.js";
/** The library takes pictures of at most this many pixels a side. */
const LARGEST_SIDE = 4000;
/** How often, and for how many milliseconds, a picture in which nothing was found at first is looked at again. */
const THOROUGHLY = { effort: 200, timeLimit: 2000 };

/** What the camera's pictures are looked at with: something with BarcodeDetector's `detect`, the browser's own where it knows QR codes. */
export async function detector() {
  const formats = (await globalThis.BarcodeDetector?.getSupportedFormats()) ?? [];
  const known = formats.includes("qr_code");
  const Detector = known ? BarcodeDetector : (await import(LIBRARY)).BarcodeDetector;
  return new Detector({ formats: ["qr_code"] });
}

/** The texts of all QR codes in a picture file. Throws InvalidStateError for what is no picture. */
export async function textsIn(file) {
  const bitmap = await createImageBitmap(file);
  const { decodeQRBatch } = await import(LIBRARY);
  const picture = pixels(bitmap);
  const [found] = await decodeQRBatch([picture], { ...THOROUGHLY, maxSize: { width: picture.width, height: picture.height } });
  return found.filter((text) => typeof text === "string");
}

function pixels(bitmap) {
  const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // a code on a transparent ground would be black on black
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
