// Requests to the studio's server. Addresses are relative, so that each carries the token of the page's own.

const KINDS = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", webp: "image/webp", bmp: "image/bmp",
  tif: "image/tiff", tiff: "image/tiff", gif: "image/gif", avif: "image/avif", svg: "image/svg+xml" };
const [MOST_MIB, MOST_SVG_MIB] = [64, 8]; // as the server has it; told here so that nobody waits for the upload first

/** Send a request and return the answer's JSON, null where it has none. Throws an Error with a sentence for people. */
export async function ask(path, { method = "POST", json, body, headers = {} } = {}) {
  if (json !== undefined) [body, headers] = [JSON.stringify(json), { "Content-Type": "application/json" }];
  let answer;
  try {
    answer = await fetch(path, { method, body, headers });
  } catch {
    throw new Error("The studio does not answer; perhaps it has been stopped.");
  }
  const text = await answer.text();
  let said = null;
  try {
    said = text ? JSON.parse(text) : null;
  } catch {
    said = { message: text };
  }
  if (!answer.ok) throw new Error(said?.message || `The studio refused (${answer.status}).`);
  return said;
}

/** Upload a file to a path and return the answer. */
export async function upload(path, file) {
  const kind = KINDS[file.name.split(".").pop().toLowerCase()] ?? file.type;
  const most = kind === KINDS.svg ? MOST_SVG_MIB : MOST_MIB;
  if (file.size > most * 2 ** 20) throw new Error(`${file.name} is larger than ${most} MiB, which is too large here.`);
  const headers = { "Content-Type": kind || "application/octet-stream", "X-Name": encodeURIComponent(file.name) };
  return ask(path, { body: file, headers });
}
