/**
 * The ProVerif models in docs/formal: what each must answer, and changes to it that must make a query fail. ProVerif is started only
 * where `PROVERIF` names it; that the changes still fit the models is seen without it.
 */

import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"

import { root, run } from "./run.js"
import { temporaryFolder } from "./temporary-folder.js"

/**
 * What is done to a model, and a query's text that must then be refuted.
 *
 * @typedef {{ model: keyof typeof answers, fault: string, query: string, changes: readonly (readonly [string, string])[] }} Fault
 */

const TIMEOUT_MS = 1_800_000
const QUERY = /\bquery [^.]*\./g

/** What ProVerif says of the queries of a model, in their order. The false ones say that something happens at all. */
const answers = {
  oneshot: "true true true true false",
  "session-once": "true true true true true false",
  "session-each": "true true true true true true false",
  session: "true true true true true true false false false",
}

/** The client's look at the confirmation. */
const CONFIRMATION = `  in(net, r: bitstring);
  let env(hr, =none, c) = r in
  let header(=tReply, =ctxh(e), jr: bitstring, =thumb(spubk)) = hr in
  let body(d, rs, m) = opn(kdf(ext(H(e), seed), lReply, jr), hr, c) in
  if d = H((hr, rs, m)) && jr = nonceOf(rs) && m = sid then
`
/** Where ProVerif's own choice of facts to resolve upon goes on for ever. */
const TERMINATING = /** @type {const} */ (["free net: channel.", "set selFun = Term. free net: channel."])
const EACH_CONTEXT = "  if cx2 = ctxh((aud, k2b(kdf(sec, lEach, j2)))) then\n"

/** @type {readonly Fault[]} */
const faults = [
  {
    model: "oneshot",
    fault: "a signature by a key that is not the client's counts",
    query: "event(Got(vk(csk), s",
    changes: [
      ["verify(vk(csk), s) in", "verify(vk(other), s) in"],
      ["free csk: ssk [private].", "free csk: ssk [private]. free other: ssk."],
      TERMINATING,
    ],
  },
  {
    model: "oneshot",
    fault: "the server does not compare the context",
    query: "event(Got(vk(csk), s",
    changes: [["header(=tMsg, =ctxh(context), j: bitstring", "header(=tMsg, cx: bitstring, j: bitstring"]],
  },
  {
    model: "oneshot",
    fault: "the server does not compare `kid`: a message to another is forwarded to it",
    query: "event(Got(vk(csk), s",
    changes: [["=thumb(pub(ssk0))) = h in\n  let cek", "kid: bitstring) = h in\n  let cek"]],
  },
  {
    model: "oneshot",
    fault: "the reply's key comes of the envelope alone, without the seed",
    query: "attacker(secretReply)",
    changes: [
      ["ext(H(e), seed)", "ext(H(e), known)"],
      ["free csk: ssk [private].", "free csk: ssk [private]. free known: key."],
    ],
  },
  {
    model: "session-once",
    fault: "the client takes an offer that anybody signed",
    query: "attacker(msgC) phase 1",
    changes: [
      ["verify(idvk, offer)", "verify(who, offer)"],
      ["  new cn: bitstring; out(net, cn);", "  in(net, who: spk); new cn: bitstring; out(net, cn);"],
    ],
  },
  {
    model: "session-once",
    fault: "the client waits for no confirmation",
    query: "inj-event(ClientOpened(mode",
    changes: [[CONFIRMATION, ""]],
  },
  {
    model: "session-once",
    fault: "the server keeps the session's RSA key",
    query: "attacker(msgC) phase 1",
    changes: [["  TakeOnce(aud, sid, sec).", "  ( TakeOnce(aud, sid, sec) | (phase 1; out(net, ssess)) )."]],
  },
  {
    model: "session-each",
    fault: "the server does not derive the nonce from the seed",
    query: "event(ServerGot(sid",
    changes: [
      ["if d2 = H((h2, s2, m)) && j2 = nonceOf(s2) then\n  event", "if d2 = H((h2, s2, m)) then\n  event"],
    ],
  },
  {
    model: "session-each",
    fault: "the server does not compare the context, and with it the proof",
    query: "event(ServerUnwraps(sid",
    changes: [[EACH_CONTEXT, ""]],
  },
  {
    model: "session-each",
    fault: "the proof is the same for every nonce",
    query: "event(ServerUnwraps(sid",
    changes: [["kdf(sec, lEach, j2)", "kdf(sec, lEach, none)"]],
  },
  {
    model: "session-each",
    fault: "the client waits for no confirmation",
    query: "inj-event(ClientOpened(mode",
    changes: [[CONFIRMATION, ""]],
  },
]

/** @param {string} model */
const textOf = (model) => readFile(join(root, "docs/formal", `${model}.pv`), "utf8")

/**
 * The model with the fault in it, and with no other query than the one that must fail: the others may take for ever.
 *
 * @param {Fault} fault
 */
async function broken({ model, fault, query, changes }) {
  const whole = await textOf(model)
  const asked = whole.match(QUERY)?.filter((each) => each.includes(query)) ?? []
  if (asked.length !== 1) throw new Error(`${model}.pv has ${asked.length} queries of "${query}", not 1`)
  let text = whole.replace(QUERY, (each) => (each === asked[0] ? each : ""))
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`${model}.pv has no place for the fault "${fault}":\n${from}`)
    text = text.replaceAll(from, to)
  }
  return text
}

/**
 * What ProVerif answers, in the order of the queries.
 *
 * @param {string} program
 * @param {string} text
 */
async function ask(program, text) {
  const folder = temporaryFolder("proverif")
  try {
    await writeFile(join(folder, "model.pv"), text)
    const report = await run(program, ["model.pv"], { cwd: folder, timeout: TIMEOUT_MS })
    // a refuted injective query is told a second time without its injectivity, in parentheses
    const results = report.matchAll(/^RESULT [^(\n].* (?:is|be) (true|false|proved)\.$/gm)
    return Array.from(results, ([, answer]) => answer).join(" ")
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * @param {string | undefined} program - ProVerif's; undefined where it is not to be had.
 * @returns {Promise<string>}
 */
export async function checkProverif(program) {
  for (const fault of faults) await broken(fault)
  const models = Object.entries(answers)
  if (program === undefined)
    return `${faults.length} faults fit ${models.length} ProVerif models, NOT RUN: set PROVERIF`
  for (const [model, expected] of models) {
    const answer = await ask(program, await textOf(model))
    if (answer !== expected) throw new Error(`${model}.pv: expected ${expected}, ProVerif says ${answer}`)
  }
  for (const fault of faults) {
    const answer = await ask(program, await broken(fault))
    if (answer !== "false")
      throw new Error(`${fault.model}.pv, where ${fault.fault}: ProVerif says ${answer}`)
  }
  return `${models.length} ProVerif models hold, ${faults.length} faults are found`
}
