/**
 * Rows on security headers, of three answers that others have brought: the directory, a sealed answer, a refusal. A header may be
 * stricter or looser than the endpoint's own, as frameworks' libraries set them, as long as it does its work.
 *
 * @module
 */

import { fail, type Finding, notTested, pass, type Probe, type Probing } from "./probe.ts"
import type { Target } from "./target.ts"
import type { Reply } from "./wire.ts"

const HALF_A_YEAR_SECONDS = 15_768_000

/** Something in front may have set a header once more: each value has to do. */
const each = (value: string | null, allowed: readonly string[]): boolean =>
  (value ?? "").split(",").every((one) => allowed.includes(one.trim().toLowerCase()))

const hasPolicy = (headers: Headers): boolean =>
  /(?:^|[;,\s])default-src\s+'(?:none|self)'/.test(headers.get("content-security-policy") ?? "")

const isFramed = (headers: Headers): boolean =>
  !/frame-ancestors\s+'(?:none|self)'/.test(headers.get("content-security-policy") ?? "") &&
  !each(headers.get("x-frame-options"), ["deny", "sameorigin"])

const REFERRER = ["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"]

/** Header → whether an answer has it as it should be. */
const DEMANDS: Readonly<Record<string, (headers: Headers) => boolean>> = {
  "content-security-policy": hasPolicy,
  "x-content-type-options": (headers) => each(headers.get("x-content-type-options"), ["nosniff"]),
  "frame-ancestors or x-frame-options": (headers) => !isFramed(headers),
  "referrer-policy": (headers) => each(headers.get("referrer-policy"), REFERRER),
  "cross-origin-opener-policy": (headers) => each(headers.get("cross-origin-opener-policy"), ["same-origin"]),
  "cross-origin-resource-policy": (headers) =>
    each(headers.get("cross-origin-resource-policy"), ["same-origin", "same-site"]),
  "x-xss-protection other than 0": (headers) =>
    !headers.has("x-xss-protection") || each(headers.get("x-xss-protection"), ["0"]),
}

function isLasting(headers: Headers): boolean {
  const [, seconds = "0"] = /max-age="?(\d{1,12})/i.exec(headers.get("strict-transport-security") ?? "") ?? []
  return Number(seconds) >= HALF_A_YEAR_SECONDS
}

const isUncached = (headers: Headers): boolean =>
  /(?:^|[,\s])no-store\b/.test(headers.get("cache-control") ?? "")

type Looked = readonly [what: string, reply: Reply]

/** A row that looks at answers, and tells what each of them lacks. */
const looking = (
  name: string,
  advice: string,
  replies: (all: readonly Looked[]) => readonly Looked[],
  lacks: (headers: Headers) => readonly string[],
): Probe => ({
  name,
  sends: [],
  advice,
  run({ notes }: Probing): Promise<Finding> {
    const looked = replies([...notes.replies])
    const faults = looked.flatMap(([what, { headers }]) => {
      const missing = lacks(headers)
      return missing.length === 0 ? [] : [`${what}: ${missing.join(", ")}`]
    })
    if (faults.length > 0) return Promise.resolve(fail(`missing or too weak in ${faults.join("; ")}`))
    if (looked.length === 0) return Promise.resolve(notTested("there was no answer to look at"))
    return Promise.resolve(pass(`as it should be in ${looked.map(([what]) => what).join(", ")}`))
  },
})

/** The rows on headers. */
export function headerProbes({ isTls }: Target): readonly Probe[] {
  const names = Object.keys(DEMANDS)
  const hsts = looking(
    "hsts",
    "leave strict-transport-security to the endpoint, or set max-age=31536000 in front",
    (all) => all,
    (headers) => (isLasting(headers) ? [] : ["strict-transport-security of half a year"]),
  )
  return [
    looking(
      "security-headers",
      "leave the endpoint's securityHeaders on, and let what stands in front pass them on",
      (all) => all,
      (headers) => names.filter((name) => DEMANDS[name]?.(headers) === false),
    ),
    isTls ? hsts : { ...hsts, skip: "plain HTTP, where the header means nothing" },
    looking(
      "no-store",
      "let no cache in front store sealed answers or refusals",
      (all) => all.filter(([what]) => what !== "directory"),
      (headers) => (isUncached(headers) ? [] : ["cache-control: no-store"]),
    ),
  ]
}
