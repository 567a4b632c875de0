import { readFileSync } from "node:fs"

import { describe, expect, it } from "vitest"

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

const codesIn = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, code = ""]) => code)

const source = read("src/base/errors.ts")
const codes = codesIn(source, /^ {2}\| "(ERR_\w+)"$/gm)

describe("each error code", () => {
  it("is explained where it is declared, once", () => {
    expect(codes.length).toBeGreaterThan(15)
    expect(codesIn(source, /^ \* - `(ERR_\w+)`: /gm).sort()).toEqual([...codes].sort())
  })

  it("has a row in the table of the readme, once", () => {
    expect(codesIn(read("README.md"), /^\| `(ERR_\w+)` /gm).sort()).toEqual([...codes].sort())
  })

  it.each(["application", "client", "operator", "sessions", "stores"])(
    "is spelled right in the guide %s",
    (guide) => {
      const named = codesIn(read(`docs/guides/${guide}.md`), /\b(ERR_[A-Z_]+)\b/g)
      expect(named).not.toEqual([])
      expect(named.filter((code) => !codes.includes(code))).toEqual([])
    },
  )
})
