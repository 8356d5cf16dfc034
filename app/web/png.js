// Read the settings that Forger writes into its PNG files: a `tEXt` chunk with the keyword `forger`.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const MOST_BYTES = 65536;
const KEYWORD = "forger";

/** The settings as an object; null if the file has none. @param {Blob} file @returns {Promise<any>} */
export async function pictureSettings(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (!SIGNATURE.every((byte, index) => bytes[index] === byte)) return null;
  const view = new DataView(bytes.buffer);
  let at = SIGNATURE.length;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (at + 12 + length > bytes.length || type === "IEND") return null;
    if (type === "tEXt" && length <= MOST_BYTES) {
      const text = new TextDecoder("latin1").decode(bytes.subarray(at + 8, at + 8 + length));
      const end = text.indexOf("\0");
      if (text.slice(0, end) === KEYWORD) {
        try {
          // A seed may be larger than a number of JavaScript can hold: it is kept as text.
          return JSON.parse(text.slice(end + 1).replace(/("seed":\s*)(\d+)/, '$1"$2"'));
        } catch {
          return null;
        }
      }
    }
    at += 12 + length;
  }
  return null;
}
