/**
 * What a text says as bytes, in each way in which bytes end up in a log: as they are, escaped, in hexadecimal, in base64, and as
 * numbers.
 *
 * @module
 */

/** As many bytes as anything that is looked for has. */
const LEAST_BYTES = 16

const HEX = /[0-9a-f]{32,}/gi
/** Both alphabets. */
const BASE64 = /[\w+/-]{22,}/g
const NUMBERS = /(?:\d{1,3},){15,}\d{1,3}/g
/** JSON of an array of bytes numbers its members: `{"0":17,"1":4}`. */
const INDEXES = /["']?\d+["']?:(?=\d)/g
const ESCAPE = /\\(?:x([0-9a-f]{2})|u00([0-9a-f]{2})|(.))/gi
const ESCAPED: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  0: "\0",
}

const unescaped = (text: string): string =>
  text.replaceAll(ESCAPE, (_, x?: string, u?: string, letter = "") => {
    const code = x ?? u
    return code === undefined ? (ESCAPED[letter] ?? letter) : String.fromCharCode(parseInt(code, 16))
  })

/** Bytes may begin anywhere in a run of digits. */
function* shifted(run: string, shifts: number, encoding: "hex" | "base64"): Generator<Buffer> {
  for (let shift = 0; shift < shifts; shift++) yield Buffer.from(run.slice(shift), encoding)
}

/** All readings of a text. */
export function* readingsOf(text: string): Generator<Buffer> {
  yield Buffer.from(text, "latin1")
  // text beyond ASCII, and bytes that were taken for UTF-8

  if (/[^\0-\x7f]/.test(text)) yield Buffer.from(text)
  if (text.includes("\\")) yield Buffer.from(unescaped(text), "latin1")
  // lines are folded, and numbers stand in columns
  const bare = text.replaceAll(/\s/g, "")
  if (bare.length < LEAST_BYTES) return
  for (const [run] of bare.replaceAll(":", "").matchAll(HEX)) yield* shifted(run, 2, "hex")
  for (const [run] of bare.matchAll(BASE64)) yield* shifted(run, 4, "base64")
  const listed = bare.includes('1":') || bare.includes("1':") ? bare.replaceAll(INDEXES, "") : bare
  for (const [run] of listed.matchAll(NUMBERS)) yield Buffer.from(run.split(",").map(Number))
}
