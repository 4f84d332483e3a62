/** Reads the texts of QR codes. The vendored library is loaded only when it is needed. */

const LIBRARY = "../../vendor/qr/decode.js";
/** The longest side in pixels of a picture that the library accepts. */
const LARGEST_SIDE = 4000;
/** Retries for a picture in which no code was found at first: their number, and their limit in milliseconds. */
const THOROUGHLY = { effort: 200, timeLimit: 2000 };

/** Returns a BarcodeDetector for the camera: the browser's own if it supports QR codes, else the library's. */
export async function detector() {
  const formats = (await globalThis.BarcodeDetector?.getSupportedFormats()) ?? [];
  const known = formats.includes("qr_code");
  const Detector = known ? BarcodeDetector : (await import(LIBRARY)).BarcodeDetector;
  return new Detector({ formats: ["qr_code"] });
}

/** Returns the texts of all QR codes in a picture file. Throws InvalidStateError if the file is not a picture. */
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
  context.fillStyle = "#fff"; // on a transparent background the code would be black on black
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
